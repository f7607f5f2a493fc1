"""Reads how much was asked of each service, by business unit and month."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.demand.projections import request_demand
from shared.http.context import ServiceContext
from shared.http.paging import PageQuery

Month = Annotated[
    str | None, Query(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="a month such as 2026-06, UTC")
]


class RequestDemand:
    """The counters, filled by what was heard."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    async def counted(
        self,
        page: PageQuery,
        service: str | None = None,
        business_unit: str | None = None,
        since: Month = None,
        until: Month = None,
    ) -> Mapping[str, Any]:
        """List the months, oldest first; a blank service or business unit means that none was named."""
        order = f"month:{service}:{business_unit}:{since}:{until}"
        found = await self._context.database.rows(
            request_demand.demand(
                service=service,
                business_unit=business_unit,
                since=_first_day(since),
                until=_first_day(until),
                after=page.after(order, date.fromisoformat, str, str),
                limit=page.limit + 1,
            )
        )
        return page.answer(
            found, order, lambda row: (row["month"], row["service"], row["business_unit"]), _shown
        )


def _first_day(month: str | None) -> date | None:
    return None if month is None else date.fromisoformat(f"{month}-01")


def _shown(row: Any) -> dict[str, Any]:
    return {**dict(row), "month": f"{row['month']:%Y-%m}"}


def router(context: ServiceContext) -> APIRouter:
    """Return the routes of this module."""
    routes = APIRouter(tags=["demand"])
    routes.get("/v1/request-demand")(RequestDemand(context).counted)
    return routes
