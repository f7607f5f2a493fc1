"""How many requests there are over HTTP: in all, by state, by kind, late."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.intake.api.reading import only_of
from services.intake.api.requests import RequestFilters
from services.intake.projections.counts import Counts
from shared.http.context import ServiceContext
from shared.http.dependencies import Caller


def router(context: ServiceContext) -> APIRouter:
    routes = APIRouter(prefix="/v1/request-counts", tags=["requests"])
    kept = Counts(context.database)

    @routes.get("", summary="Count requests, with the filters of the list")
    async def counts(wanted: Annotated[RequestFilters, Query()], actor: Caller) -> Any:
        return await kept.of(wanted.filters(only_of(actor)))

    return routes
