"""The four services, by name."""

from __future__ import annotations

from services.catalog import app as catalog
from services.demand import app as demand
from services.intake import app as intake
from services.sla import app as sla
from shared.http.context import ServiceDefinition


def definitions() -> dict[str, ServiceDefinition]:
    """Return the definition of every service."""
    return {
        "intake": intake.definition(),
        "demand": demand.definition(),
        "catalog": catalog.definition(),
        "sla": sla.definition(),
    }
