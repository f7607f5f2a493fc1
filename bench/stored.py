"""One service's store opened in this process, and requests put straight into its log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from bench.load import WrongAnswer
from bench.requests import BODY
from services.intake.api.requests import NewRequest
from services.intake.domain.request.decider import REQUEST
from shared.eventsourcing.encryption import SubjectKeys
from shared.eventsourcing.event_store import EventStore, LogDefinition
from shared.eventsourcing.log import Appended, Meta, Step, Unit
from shared.runtime.database import LIMITS, Database
from shared.runtime.ids import uuid7
from shared.runtime.provisioning import ServiceDatabases

_BATCH = 500
PEOPLE = 1_000
_LIMITS = {**LIMITS, "statement_timeout": "60s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A store with its database, opened as the owner."""

    database: Database
    store: EventStore


@asynccontextmanager
async def opened(definition: LogDefinition, databases: ServiceDatabases) -> AsyncIterator[Stored]:
    """Open a service's log as one more process of it."""
    database = await Database.open(databases.owner_url, application_name="bench", limits=_LIMITS)
    keys = await Database.open(databases.keys_owner_url, application_name="bench", limits=_LIMITS)
    try:
        store = EventStore(definition, SubjectKeys(keys))
        async with database.transaction() as conn:
            await store.declare(conn)
        yield Stored(database=database, store=store)
    finally:
        await keys.close()
        await database.close()


async def submit(stored: Stored, count: int) -> None:
    """Append so many submitted requests of a thousand people, with all that an append writes."""
    for begin in range(0, count, _BATCH):
        units = [_unit(number) for number in range(begin, min(begin + _BATCH, count))]
        async with stored.database.transaction() as conn:
            outcomes = await stored.store.append(conn, units)
        refused = [outcome for outcome in outcomes if not isinstance(outcome, Appended)]
        if refused:
            raise WrongAnswer(f"the log refused {refused[0]!r}")


def _unit(number: int) -> Unit:
    body = NewRequest.model_validate({**BODY, "requester": {"id": UUID(int=number % PEOPLE), "name": "A"}})
    request_id = uuid7()
    command = body.command(request_id=request_id, serial=number, at=datetime.now(UTC), actor="bench")
    step = Step(decider=REQUEST, stream_id=request_id, command=command, new=True)
    return Unit(steps=(step,), meta=Meta(actor="bench", correlation_id="bench"), number=number)
