"""Which stored events are public, on which topic, and in what form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.contracts.told import Told
from shared.eventsourcing.log import Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """A service's door to the outside: `publishes.py` fills it in.

    `topics` names the topic of every public stored event class. It is read by the append, which writes the
    outbox, so the chain of public positions is a fact of the log. `publish` turns a recorded event of such a
    class into its contract; it must need neither keys nor I/O. `source` is the CloudEvents source, `/intake`.
    """

    source: str
    topics: Mapping[type, str]
    publish: Callable[[Recorded], Told]

    def topic_names(self) -> tuple[str, ...]:
        """Return every topic this service writes, once, in a stable order."""
        return tuple(sorted(set(self.topics.values())))

    def types_of(self, topic: str) -> tuple[str, ...]:
        """Return the stored type names that are public on `topic`."""
        return tuple(kind.__name__ for kind, name in self.topics.items() if name == topic)
