"""Which roles may issue which command; whatever is not listed here, nobody may."""

from __future__ import annotations

from collections.abc import Mapping

from services.catalog.domain.agreement import commands as agreement
from services.catalog.domain.breach import commands as breach
from services.catalog.domain.service import commands as service

SYSTEM = frozenset({"system"})
STEWARDS = frozenset({"service_owner", "service_level_manager", "portfolio_manager", "it_manager"})
PORTFOLIO = frozenset({"portfolio_manager", "it_manager", "it_executive_officer"})

PERMISSIONS: Mapping[type, frozenset[str]] = {
    service.RegisterService: STEWARDS,
    service.ReviseFacts: STEWARDS,
    service.AssignOwners: PORTFOLIO,
    service.ApproveService: PORTFOLIO,
    service.DeclineService: PORTFOLIO,
    service.StartDevelopment: STEWARDS,
    service.PutInService: STEWARDS,
    service.AnnounceRetirement: PORTFOLIO,
    service.ReinstateService: PORTFOLIO,
    service.RetireService: STEWARDS,
    service.AdmitProject: SYSTEM,
    agreement.NoteInForce: SYSTEM,
    agreement.NoteEnd: SYSTEM,
    breach.NoteBreach: SYSTEM,
    breach.NoteBreachWithdrawn: SYSTEM,
}
