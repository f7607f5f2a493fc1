"""sla's composition root: the only file that chooses implementations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter

from services.sla.api import agreements, calendars, clocks, records
from services.sla.domain.agreement import events as agreement_events
from services.sla.domain.calendar import events as calendar_events
from services.sla.domain.permissions import PERMISSIONS
from services.sla.domain.record import events as record_events
from services.sla.projections.agreements import AGREEMENTS
from services.sla.projections.calendars import CALENDARS
from services.sla.projections.clocks import CLOCKS
from services.sla.projections.covers import COVERS
from services.sla.projections.due import DUE
from services.sla.projections.records import RECORDS
from services.sla.publishes import PUBLISHER
from services.sla.subscribes import SUBSCRIPTIONS
from services.sla.timers import timers
from shared.eventsourcing.codec import Codec
from shared.eventsourcing.event_store import LogDefinition
from shared.eventsourcing.housekeeping import EVENTS
from shared.http.context import ServiceContext, ServiceDefinition

LOG = LogDefinition(
    service="sla",
    codec=Codec(
        [
            *calendar_events.Event.__args__,
            *agreement_events.Event.__args__,
            *record_events.Event.__args__,
            *EVENTS,
        ]
    ),
    publisher=PUBLISHER,
    read_models=(CALENDARS, AGREEMENTS, COVERS, RECORDS, CLOCKS, DUE),
)


def routers(context: ServiceContext) -> Sequence[APIRouter]:
    """Return every route of sla."""
    return (
        calendars.router(context),
        agreements.router(context),
        clocks.router(context),
        records.router(context),
    )


def definition() -> ServiceDefinition:
    """Return sla as its processes run it."""
    return ServiceDefinition(
        name="sla",
        log=LOG,
        permissions=PERMISSIONS,
        routers=routers,
        subscriptions=SUBSCRIPTIONS,
        timers=timers,
        migrations=Path(__file__).with_name("migrations"),
    )
