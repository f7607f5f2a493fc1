"""Demand's composition root: the only file that chooses implementations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter

from services.demand.api import boards, concepts, request_demand
from services.demand.domain.advisory_board.events import BoardAppointed
from services.demand.domain.concept import events as concept_events
from services.demand.domain.demand_ledger import events as ledger_events
from services.demand.domain.permissions import PERMISSIONS
from services.demand.projections.board_list import BOARD_LIST
from services.demand.projections.concept_list import CONCEPT_LIST
from services.demand.projections.request_demand import REQUEST_DEMAND
from services.demand.publishes import PUBLISHER
from services.demand.subscribes import SUBSCRIPTIONS
from shared.eventsourcing.codec import Codec
from shared.eventsourcing.event_store import LogDefinition
from shared.eventsourcing.housekeeping import EVENTS
from shared.http.context import ServiceContext, ServiceDefinition

LOG = LogDefinition(
    service="demand",
    codec=Codec([*concept_events.Event.__args__, BoardAppointed, *ledger_events.Event.__args__, *EVENTS]),
    publisher=PUBLISHER,
    read_models=(CONCEPT_LIST, BOARD_LIST, REQUEST_DEMAND),
)


def routers(context: ServiceContext) -> Sequence[APIRouter]:
    """Return every route of demand."""
    return concepts.router(context), boards.router(context), request_demand.router(context)


def definition() -> ServiceDefinition:
    """Return demand as its processes run it."""
    return ServiceDefinition(
        name="demand",
        log=LOG,
        permissions=PERMISSIONS,
        routers=routers,
        subscriptions=SUBSCRIPTIONS,
        numbers={concepts.NUMBERS: "log.concept_number"},
        migrations=Path(__file__).with_name("migrations"),
    )
