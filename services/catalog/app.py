"""The catalog's composition root: the only file that chooses implementations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter

from services.catalog.api import entries, phases, services
from services.catalog.domain.agreement import events as agreement_events
from services.catalog.domain.breach import events as breach_events
from services.catalog.domain.permissions import PERMISSIONS
from services.catalog.domain.service import events as service_events
from services.catalog.projections.service_agreements import SERVICE_AGREEMENTS
from services.catalog.projections.service_breaches import SERVICE_BREACHES
from services.catalog.projections.service_list import SERVICE_LIST
from services.catalog.projections.service_page import SERVICE_PAGE
from services.catalog.projections.service_projects import SERVICE_PROJECTS
from services.catalog.publishes import PUBLISHER
from services.catalog.subscribes import SUBSCRIPTIONS
from shared.eventsourcing.codec import Codec
from shared.eventsourcing.event_store import LogDefinition
from shared.eventsourcing.housekeeping import EVENTS
from shared.http.context import ServiceContext, ServiceDefinition

LOG = LogDefinition(
    service="catalog",
    codec=Codec(
        [
            *service_events.Event.__args__,
            *agreement_events.Event.__args__,
            *breach_events.Event.__args__,
            *EVENTS,
        ]
    ),
    publisher=PUBLISHER,
    read_models=(SERVICE_LIST, SERVICE_PAGE, SERVICE_PROJECTS, SERVICE_AGREEMENTS, SERVICE_BREACHES),
)


def routers(context: ServiceContext) -> Sequence[APIRouter]:
    """Return every route of the catalog."""
    return services.router(context), entries.router(context), phases.router(context)


def definition() -> ServiceDefinition:
    """Return the catalog as its processes run it."""
    return ServiceDefinition(
        name="catalog",
        log=LOG,
        permissions=PERMISSIONS,
        routers=routers,
        subscriptions=SUBSCRIPTIONS,
        migrations=Path(__file__).with_name("migrations"),
    )
