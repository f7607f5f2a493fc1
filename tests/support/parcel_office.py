"""The parcel service with more to see: counters, an async model, due rows, erasure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import CreateIndex, CreateTable

from shared.eventsourcing.codec import Codec
from shared.eventsourcing.decider import Decider
from shared.eventsourcing.log import Recorded, Step, Unit
from shared.eventsourcing.projection import Changes, ReadModel
from shared.eventsourcing.timers import due_table
from shared.runtime.ids import uuid7
from shared.runtime.provisioning import ServiceDatabases
from tests.support.parcels import (
    META,
    NOON,
    ParcelDelivered,
    ParcelSent,
    ParcelWeighed,
    definition,
    migrate,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectErased:
    subject_id: UUID
    occurred_at: datetime = NOON


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderSet:
    """Ask to be reminded of a parcel; a new one replaces the old, which its rising `seq` tells."""

    seq: int
    due_at: datetime
    attached_at: datetime = NOON
    sources: str = ""
    occurred_at: datetime = NOON


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminded:
    seq: int
    occurred_at: datetime = NOON


@dataclass(frozen=True, slots=True, kw_only=True)
class Remind:
    """What the timer issues."""

    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    waiting_for: int = 0


def decide(command: Any, state: Desk) -> Sequence[Any]:
    """Take events as they are said; a reminder is given once."""
    match command:
        case Remind(seq=seq):
            return [Reminded(seq=seq)] if seq == state.waiting_for else []
        case _:
            return [command]


def evolve(state: Desk, event: Any) -> Desk:
    match event:
        case ReminderSet(seq=seq):
            return Desk(waiting_for=seq)
        case Reminded():
            return Desk()
        case _:
            return state


OFFICE = Decider(stream="parcel", initial=Desk(), decide=decide, evolve=evolve)
METADATA = sa.MetaData(schema="read")

_list = sa.Table(
    "office_list_v1",
    METADATA,
    sa.Column("parcel_id", sa.Uuid, primary_key=True),
    sa.Column("sender_id", sa.Uuid, nullable=False),
    sa.Column("label", sa.Text),
    sa.Column("grams", sa.Integer),
    sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("history", JSONB, nullable=False),
    sa.Index("office_list_v1_sender", "sender_id"),
)
_weights = sa.Table(
    "weights_v1",
    METADATA,
    sa.Column("parcel_id", sa.Uuid, primary_key=True),
    sa.Column("weighings", sa.Integer, nullable=False),
    sa.Column("kilograms", sa.Numeric, nullable=False),
)
_labels = sa.Table(
    "labels_v1",
    METADATA,
    sa.Column("parcel_id", sa.Uuid, primary_key=True),
    sa.Column("sender_id", sa.Uuid, nullable=False),
    sa.Column("label", sa.Text),
)


def _fold_list(events: Sequence[Recorded], changes: Changes) -> None:
    for recorded in events:
        match recorded.event:
            case ParcelSent() as sent:
                changes.put(
                    recorded.stream_id,
                    sender_id=sent.sender_id,
                    label=sent.label,
                    sent_at=sent.occurred_at,
                    history={"sent": recorded.position},
                )
            case ParcelWeighed(grams=grams):
                changes.set(recorded.stream_id, grams=grams)
            case ParcelDelivered():
                changes.delete(recorded.stream_id)
            case SubjectErased(subject_id=subject):
                changes.set_every({"sender_id": subject}, label=None)


def _fold_weights(events: Sequence[Recorded], changes: Changes) -> None:
    for recorded in events:
        changes.add(recorded.stream_id, weighings=1, kilograms=Decimal(recorded.event.grams) / 1000)


def _fold_labels(events: Sequence[Recorded], changes: Changes) -> None:
    for recorded in events:
        match recorded.event:
            case ParcelSent(label=label, sender_id=sender):
                changes.put(recorded.stream_id, label=label, sender_id=sender)
            case SubjectErased(subject_id=subject):
                changes.set_every({"sender_id": subject}, label=None)


def _fold_due(events: Sequence[Recorded], changes: Changes) -> None:
    for recorded in events:
        match recorded.event:
            case ReminderSet() as reminder:
                changes.put(
                    recorded.stream_id,
                    kind="reminder",
                    subject=recorded.stream_id,
                    seq=reminder.seq,
                    due_at=reminder.due_at,
                    attached_at=reminder.attached_at,
                    sources=reminder.sources,
                )
            case Reminded():
                changes.delete(recorded.stream_id)


LIST = ReadModel(
    name="office_list",
    version=1,
    table=_list,
    follows=(ParcelSent, ParcelWeighed, ParcelDelivered, SubjectErased),
    fold=_fold_list,
)
WEIGHTS = ReadModel(name="weights", version=1, table=_weights, follows=(ParcelWeighed,), fold=_fold_weights)
LABELS = ReadModel(
    name="labels",
    version=1,
    table=_labels,
    follows=(ParcelSent, SubjectErased),
    fold=_fold_labels,
    asynchronous=True,
)
DUE = ReadModel(name="due", version=1, table=due_table(1), follows=(ReminderSet, Reminded), fold=_fold_due)
MODELS = (LIST, WEIGHTS, LABELS, DUE)

CODEC = Codec([ParcelSent, ParcelWeighed, ParcelDelivered, SubjectErased, ReminderSet, Reminded])
OLDER_CODEC = Codec([ParcelSent, ParcelDelivered, SubjectErased, ReminderSet, Reminded])
LOG = definition(*MODELS, codec=CODEC)


async def open_office(databases: ServiceDatabases) -> None:
    """Prepare the databases with the tables of every read model above."""
    await migrate(databases)
    conn = await asyncpg.connect(databases.owner_url)
    for model in MODELS:
        await conn.execute(_ddl(CreateTable(model.table)))
        for index in sorted(model.table.indexes, key=lambda index: str(index.name)):
            await conn.execute(_ddl(CreateIndex(index)))
    await conn.execute("SELECT read.declare_rows()")
    await conn.close()


def _ddl(element: Any) -> str:
    return str(element.compile(dialect=postgresql.dialect()))


def said(*events: Any, about: UUID | None = None) -> Unit:
    """One unit that records these events of one parcel."""
    parcel = about or uuid7()
    return Unit(
        steps=tuple(Step(decider=OFFICE, stream_id=parcel, command=event) for event in events), meta=META
    )


def sent(label: str, sender_id: UUID) -> ParcelSent:
    return ParcelSent(sender_id=sender_id, label=label, occurred_at=NOON)


def weighed(grams: int) -> ParcelWeighed:
    return ParcelWeighed(grams=grams, occurred_at=NOON)


def delivered() -> ParcelDelivered:
    return ParcelDelivered(occurred_at=NOON)
