"""What can be asked of a request; times, ids and facts from elsewhere are fields."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.intake.domain.vocabulary import (
    Channel,
    CloseReason,
    ConversionTarget,
    HoldReason,
    Level,
    Nature,
    RequestKind,
    RequestState,
    SourceType,
    Visibility,
)


@dataclass(frozen=True, kw_only=True)  # without slots for `made`
class SubmitRequest:
    """`serial` is the counter inside the human number; `units` counts the workplaces an incident affects."""

    request_id: UUID
    serial: int
    occurred_at: datetime
    kind: RequestKind
    title: str
    description: str
    requester_id: UUID
    requester_name: str
    requester_address: str
    business_unit: str
    channel: Channel
    source_type: SourceType
    impact: Level = Level.MEDIUM
    urgency: Level = Level.MEDIUM
    on_behalf_of_id: UUID | None = None
    source_system: str | None = None
    external_id: str | None = None
    service: str | None = None
    category: str | None = None
    needed_by: datetime | None = None
    complete_outage: bool = False
    units: int = 1
    portfolio_item: str | None = None
    planned: bool | None = None
    budgeted: bool | None = None
    budget_owner: str | None = None
    nature: Nature | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageRequest:
    occurred_at: datetime
    service: str
    category: str
    impact: Level
    urgency: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptRequest:
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectRequest:
    occurred_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignRequest:
    occurred_at: datetime
    group: str
    assignee: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequest:
    occurred_at: datetime
    reason: HoldReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequest:
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordResponse:
    """The requester was answered; `human` is false for an automatic receipt."""

    occurred_at: datetime
    human: bool
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordContact:
    """The requester got in touch again."""

    occurred_at: datetime
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class ReprioritiseRequest:
    occurred_at: datetime
    impact: Level
    urgency: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfilRequest:
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRequest:
    occurred_at: datetime
    reason: CloseReason = CloseReason.CONFIRMED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenRequest:
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawRequest:
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertRequest:
    """The request goes on as an RFC or a project concept, whose id is `target_id`."""

    occurred_at: datetime
    to: ConversionTarget
    target_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AddComment:
    occurred_at: datetime
    comment_id: UUID
    author: str
    comment: str
    visibility: Visibility


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteBreach:
    """A service level clock of this request ran out, as sla found."""

    occurred_at: datetime
    clock_id: UUID
    target: str
    due_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteBreachWithdrawn:
    occurred_at: datetime
    clock_id: UUID
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteProject:
    """A project was approved that came from this request."""

    occurred_at: datetime
    project_id: UUID
    project_number: str
    historic: bool = False


@dataclass(frozen=True, kw_only=True)  # without slots for `made`
class HistoryRow:
    """How the source described the request after one of its updates; `row` counts upwards at the source.

    `breached` is the source's own verdict on its own service level, whose terms it did not tell.
    """

    row: int
    occurred_at: datetime
    state: RequestState
    hold: HoldReason | None
    requester_id: UUID
    requester_name: str
    service: str | None
    category: str | None
    impact: Level
    urgency: Level
    priority: int
    group: str | None
    assignee: str | None
    breached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordHistory:
    """What another system knows of one request: how it began and each update, in the order of `row`.

    `serial` is that of the number which the request gets if it is new here.
    """

    opening: SubmitRequest
    rows: tuple[HistoryRow, ...]
    serial: int = 0


RequestCommand = (
    SubmitRequest
    | TriageRequest
    | AcceptRequest
    | RejectRequest
    | AssignRequest
    | HoldRequest
    | ResumeRequest
    | RecordResponse
    | RecordContact
    | ReprioritiseRequest
    | FulfilRequest
    | CloseRequest
    | ReopenRequest
    | WithdrawRequest
    | ConvertRequest
    | AddComment
    | NoteBreach
    | NoteBreachWithdrawn
    | NoteProject
    | RecordHistory
)
