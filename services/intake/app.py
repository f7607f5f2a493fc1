"""Intake's composition root: the only file that chooses implementations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from fastapi import APIRouter
from starlette.routing import Route

from services.intake.adapters import servicenow
from services.intake.api import (
    conversions,
    counts,
    imports,
    request_steps,
    requests,
    rfc_steps,
    rfcs,
)
from services.intake.domain.permissions import PERMISSIONS
from services.intake.domain.request.events import RequestEvent
from services.intake.domain.rfc.events import RfcEvent
from services.intake.projections.request_list import REQUEST_LIST
from services.intake.projections.rfc_board import RFC_BOARD
from services.intake.publishes import PUBLISHER
from services.intake.subscribes import SUBSCRIPTIONS
from shared.eventsourcing.codec import Codec
from shared.eventsourcing.event_store import LogDefinition
from shared.eventsourcing.housekeeping import EVENTS
from shared.http.context import ServiceContext, ServiceDefinition

LOG = LogDefinition(
    service="intake",
    codec=Codec([*get_args(RequestEvent), *get_args(RfcEvent), *EVENTS]),
    publisher=PUBLISHER,
    read_models=(REQUEST_LIST, RFC_BOARD),
)


def routers(context: ServiceContext) -> Sequence[APIRouter]:
    """Return every route of intake."""
    return (
        requests.router(context),
        request_steps.router(context),
        rfcs.router(context),
        rfc_steps.router(context),
        conversions.router(context),
        imports.router(context, servicenow.incident),
        counts.router(context),
    )


def hot_routes(context: ServiceContext) -> Sequence[Route]:
    """Return the bare twins of the routes that are busiest."""
    return [*requests.hot_routes(context), *imports.hot_routes(context, servicenow.incident)]


def definition() -> ServiceDefinition:
    """Return intake as its processes run it."""
    return ServiceDefinition(
        name="intake",
        log=LOG,
        permissions=PERMISSIONS,
        routers=routers,
        hot_routes=hot_routes,
        subscriptions=SUBSCRIPTIONS,
        numbers={"REQ": "log.request_number", "RFC": "log.rfc_number"},
        migrations=Path(__file__).with_name("migrations"),
    )
