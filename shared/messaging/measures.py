"""What operators watch of the traffic between services; names come without `plumbline_`."""

from __future__ import annotations

from shared.runtime.metrics import Metrics


class Measures:
    """The messaging metrics of one service.

    Outcomes of a message: taken, duplicate, dropped, unknown_type, parked, parked_behind, foreign.
    """

    def __init__(self, metrics: Metrics) -> None:
        count, gauge = metrics.counter, metrics.gauge
        self.messages = count("consumer_messages", "Messages by what became of them.", "source", "outcome")
        self.gaps = count("consumer_gaps_repaired", "Gaps closed from the feed.", "source")
        self.parked_keys = gauge("consumer_parked_keys", "Keys that wait for an operator.", "source")
        self.stopped = gauge("consumer_stopped", "1 while not followed: fork, breaker.", "source", "reason")
        self.failures = count("consumer_failures", "Rounds that were tried again.", "source")
        self.lag_events = gauge("consumer_lag_positions", "Positions still to be heard, at most.", "source")
        self.lag_seconds = gauge("consumer_lag_seconds", "Seconds since it was last complete.", "source")
        self.rebuilt = count("consumer_rebuilt", "Kafka consumers made anew, by reason.", "reason")
        self.relay_backlog = gauge("relay_backlog_positions", "Positions not yet given to Kafka.")
        self.relay_sent = count("relay_messages", "Messages acknowledged by Kafka.")
        self.relay_leads = gauge("relay_leads", "1 while this process holds the relay's lease.")
        self.relay_stopped = gauge("relay_stopped", "1 while the relay refuses to go on.", "reason")
