"""Which roles may issue which command; a command that is not listed is the system's alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from services.intake.domain.request import commands as request
from services.intake.domain.rfc import commands as rfc

_ASK = frozenset(
    {
        "requester",
        "business_customer",
        "support_agent",
        "service_desk_manager",
        "implementer",
        "change_manager",
        "service_owner",
        "account_manager",
        "desk_tool",
        "monitoring",
    }
)
_DESK = frozenset({"support_agent", "service_desk_manager", "implementer", "desk_tool"})
_CHANGE = frozenset(
    {"change_manager", "service_desk_manager", "service_owner", "implementer", "support_agent"}
)
_BOARD = frozenset({"change_manager", "cab_member", "service_owner", "service_desk_manager", "it_manager"})

PERMISSIONS: Mapping[type, frozenset[str]] = MappingProxyType(
    {
        request.SubmitRequest: _ASK,
        request.AddComment: _ASK,
        request.WithdrawRequest: _ASK,
        request.ReopenRequest: _ASK,
        request.RecordContact: _ASK,
        request.TriageRequest: _DESK,
        request.AcceptRequest: _DESK,
        request.RejectRequest: _DESK,
        request.AssignRequest: _DESK,
        request.HoldRequest: _DESK,
        request.ResumeRequest: _DESK,
        request.RecordResponse: _DESK,
        request.ReprioritiseRequest: _DESK,
        request.FulfilRequest: _DESK,
        request.CloseRequest: _DESK | _CHANGE | {"requester"},  # a change that ends closes its request
        request.ConvertRequest: _DESK | {"change_manager"},
        request.RecordHistory: frozenset({"desk_tool", "operator"}),
        rfc.DraftRfc: _ASK,
        rfc.EditRfc: _ASK,
        rfc.SubmitRfc: _ASK,
        rfc.ClassifyRfc: frozenset({"change_manager", "service_desk_manager"}),
        rfc.AssessRisk: _CHANGE,
        rfc.CastVote: _BOARD,
        rfc.DecideRfc: frozenset({"change_manager", "service_desk_manager"}),
        rfc.RevertRfc: _CHANGE,
        rfc.ScheduleRfc: _CHANGE,
        rfc.StartImplementation: frozenset({"implementer"}),
        rfc.RecordImplementation: frozenset({"implementer"}),
        rfc.CloseRfc: frozenset({"change_manager"}),
        rfc.CancelRfc: _CHANGE,
    }
)
