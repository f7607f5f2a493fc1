"""What operators watch of the traffic between services; names come without the `plumbline_` prefix."""

from __future__ import annotations

from shared.runtime.metrics import Metrics


class Measures:
    """The messaging metrics of one service."""

    def __init__(self, metrics: Metrics) -> None:
        self.messages = metrics.counter(
            "consumer_messages",
            "Messages by what became of them: taken, duplicate, dropped, unknown_type, parked, "
            "parked_behind, foreign.",
            "source",
            "outcome",
        )
        self.gaps = metrics.counter(
            "consumer_gaps_repaired", "Gaps in a partition closed from the feed.", "source"
        )
        self.parked_keys = metrics.gauge(
            "consumer_parked_keys", "Keys whose messages wait for an operator.", "source"
        )
        self.stopped = metrics.gauge(
            "consumer_stopped",
            "1 while a source is not followed, by reason: fork, breaker, newer_data.",
            "source",
            "reason",
        )
        self.failures = metrics.counter(
            "consumer_failures", "Rounds that failed and were tried again.", "source"
        )
        self.lag_events = metrics.gauge(
            "consumer_lag_positions", "Positions of the source's log still to be heard, at most.", "source"
        )
        self.lag_seconds = metrics.gauge(
            "consumer_lag_seconds", "Seconds since this consumer was last complete.", "source"
        )
        self.rebuilt = metrics.counter(
            "consumer_rebuilt", "Kafka consumers given up and made anew, by reason.", "reason"
        )
        self.relay_backlog = metrics.gauge("relay_backlog_positions", "Positions not yet given to Kafka.")
        self.relay_sent = metrics.counter("relay_messages", "Messages acknowledged by Kafka.")
        self.relay_leads = metrics.gauge("relay_leads", "1 while this process holds the relay's lease.")
        self.relay_stopped = metrics.gauge(
            "relay_stopped",
            "1 while the relay refuses to go on, by reason: fork, partitions, failure.",
            "reason",
        )
