"""What can be asked of a change; who asks, when, and facts from elsewhere are fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.intake.domain.classification import Facts
from services.intake.domain.rfc.events import RfcText
from services.intake.domain.vocabulary import ChangeOutcome, ChangeType, Decision, Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRfc:
    """`serial` is the counter inside the human number; `request_id` the request it was converted from."""

    rfc_id: UUID
    serial: int
    occurred_at: datetime
    requester_id: UUID
    change_type: ChangeType
    text: RfcText
    request_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditRfc:
    """`changes` names fields of `RfcText` and their new values; what is not named stays as it is."""

    occurred_at: datetime
    changes: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRfc:
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifyRfc:
    """`type_reason` is needed when `change_type` differs from the type the RFC has."""

    occurred_at: datetime
    change_type: ChangeType
    facts: Facts
    affected_services: tuple[str, ...] = ()
    type_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessRisk:
    """`answers` holds one answer for every factor of the risk model."""

    occurred_at: datetime
    assessed_by: UUID
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CastVote:
    """`revision` is the one the voter has read."""

    occurred_at: datetime
    voter_id: UUID
    vote: Vote
    revision: int
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideRfc:
    """`roles` are those of the person who decides; `until` is needed for a deferral."""

    occurred_at: datetime
    decided_by: UUID
    roles: frozenset[str]
    decision: Decision
    revision: int
    reason: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertRfc:
    occurred_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRfc:
    occurred_at: datetime
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StartImplementation:
    occurred_at: datetime
    implementer_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordImplementation:
    occurred_at: datetime
    outcome: ChangeOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRfc:
    """`review` says what was learnt; `outcome` may be judged otherwise than right after the work."""

    occurred_at: datetime
    outcome: ChangeOutcome
    review: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRfc:
    occurred_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkProject:
    """A project was approved that came from this RFC."""

    occurred_at: datetime
    project_id: UUID
    project_number: str
    service: str
    new_service: bool
    historic: bool = False


RfcCommand = (
    DraftRfc
    | EditRfc
    | SubmitRfc
    | ClassifyRfc
    | AssessRisk
    | CastVote
    | DecideRfc
    | RevertRfc
    | ScheduleRfc
    | StartImplementation
    | RecordImplementation
    | CloseRfc
    | CancelRfc
    | LinkProject
)
