"""The command bus: may this actor issue this command? If so, append what follows from it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Protocol

from shared.eventsourcing.log import Appended, IdempotencyKey, Meta, Step, Unit

ADMINISTRATOR = "administrator"
SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks, in which roles, and in which conversation."""

    name: str
    roles: frozenset[str]
    correlation_id: str
    causation_id: str = ""
    traceparent: str = ""

    def meta(self) -> Meta:
        """Return what the log keeps of the actor."""
        return Meta(
            actor=self.name,
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
            traceparent=self.traceparent,
        )


class Forbidden(Exception):
    """None of the actor's roles may issue the command: HTTP 403."""

    def __init__(self, command: type, roles: frozenset[str]) -> None:
        needed = ", ".join(sorted(roles)) or "nobody"
        super().__init__(f"{command.__name__} may be issued by: {needed}")
        self.command, self.roles = command, roles


class Commit(Protocol):
    """What makes a unit durable: the group commit."""

    def submit(self, unit: Unit) -> Awaitable[Appended]:
        """Begin to append: what is returned ends once the unit is durable, or raises why it is not."""


class CommandHandler:
    """Deny by default: a command class that `permissions` does not list can be issued by the system alone."""

    def __init__(self, commit: Commit, permissions: Mapping[type, frozenset[str]]) -> None:
        self._commit = commit
        self._permissions = permissions

    def authorise(self, actor: Actor, command: type) -> None:
        """Raise `Forbidden` unless one of the actor's roles may issue commands of this class."""
        allowed = self._permissions.get(command, frozenset())
        if actor.roles.isdisjoint(allowed) and actor.roles.isdisjoint((ADMINISTRATOR, SYSTEM)):
            raise Forbidden(command, allowed)

    def execute(
        self,
        actor: Actor,
        *steps: Step,
        idempotency: IdempotencyKey | None = None,
        number: int | None = None,
    ) -> Awaitable[Appended]:
        """Append the steps as one unit. Raises `Forbidden` and whatever the group commit raises."""
        for step in steps:
            self.authorise(actor, type(step.command))
        return self._commit.submit(
            Unit(steps=steps, meta=actor.meta(), idempotency=idempotency, number=number)
        )
