"""Who may ask what of sla; what is not listed is for the service itself alone."""

from __future__ import annotations

from collections.abc import Mapping

from services.sla.domain.agreement.commands import (
    ApplyCoverage,
    DraftAgreement,
    PutInForce,
    SignAgreement,
    TerminateAgreement,
)
from services.sla.domain.calendar.commands import DraftCalendar, PublishCalendar
from services.sla.domain.record.commands import CheckRecord, RecordFact

_MAKERS = frozenset({"service_level_manager", "supplier_manager"})
_SYSTEM = frozenset({"system"})

PERMISSIONS: Mapping[type, frozenset[str]] = {
    DraftCalendar: frozenset({"service_level_manager"}),
    PublishCalendar: frozenset({"service_level_manager"}),
    DraftAgreement: _MAKERS,
    SignAgreement: _MAKERS | {"business_customer", "service_owner", "it_manager", "it_executive_officer"},
    PutInForce: _MAKERS,
    TerminateAgreement: _MAKERS,
    ApplyCoverage: _SYSTEM,
    RecordFact: _SYSTEM,
    CheckRecord: _SYSTEM,
}
