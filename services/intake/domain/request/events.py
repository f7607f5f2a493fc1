"""What can happen to a request; `historic` marks what was imported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
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
from shared.eventsourcing.decider import Personal


@dataclass(frozen=True, kw_only=True)  # without slots for `made`
class RequestSubmitted:
    """`serial` makes the human number together with the year of recording; `priority_rule` explains."""

    request_id: UUID
    serial: int
    occurred_at: datetime
    kind: RequestKind
    title: Annotated[str, Personal("requester_id")]
    description: Annotated[str, Personal("requester_id")]
    requester_id: UUID
    requester_name: Annotated[str, Personal("requester_id")]
    requester_address: Annotated[str, Personal("requester_id")]
    on_behalf_of_id: UUID | None
    business_unit: str
    channel: Channel
    source_type: SourceType
    source_system: str | None
    external_id: str | None
    service: str | None
    category: str | None
    impact: Level
    urgency: Level
    priority: int
    priority_rule: str
    needed_by: datetime | None
    complete_outage: bool
    units: int
    portfolio_item: str | None
    planned: bool | None
    budgeted: bool | None
    budget_owner: str | None
    nature: Nature | None
    tags: tuple[str, ...]
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequesterChanged:
    """The request turned out to be another person's."""

    request_id: UUID
    occurred_at: datetime
    requester_id: UUID
    requester_name: Annotated[str, Personal("requester_id")]
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTriaged:
    """`state` is the state from then on: triage moves only what was just submitted."""

    request_id: UUID
    occurred_at: datetime
    service: str | None
    category: str | None
    impact: Level
    urgency: Level
    priority: int
    priority_rule: str
    state: RequestState
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAccepted:
    """`state` is in_fulfilment when somebody is assigned already, else accepted."""

    request_id: UUID
    occurred_at: datetime
    state: RequestState
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRejected:
    request_id: UUID
    occurred_at: datetime
    reason: str
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAssigned:
    """`state` is the state from then on: an accepted request that is assigned is in fulfilment."""

    request_id: UUID
    occurred_at: datetime
    group: str
    assignee: str | None
    state: RequestState
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHeld:
    request_id: UUID
    occurred_at: datetime
    reason: HoldReason
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestResumed:
    """`state` is the one that the hold interrupted."""

    request_id: UUID
    occurred_at: datetime
    state: RequestState
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestResponded:
    request_id: UUID
    occurred_at: datetime
    human: bool
    channel: Channel
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactReceived:
    request_id: UUID
    occurred_at: datetime
    channel: Channel
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReprioritised:
    request_id: UUID
    occurred_at: datetime
    impact: Level
    urgency: Level
    priority: int
    priority_rule: str
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFulfilled:
    request_id: UUID
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestClosed:
    request_id: UUID
    occurred_at: datetime
    reason: CloseReason
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReopened:
    request_id: UUID
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestWithdrawn:
    request_id: UUID
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestConverted:
    request_id: UUID
    occurred_at: datetime
    to: ConversionTarget
    target_id: UUID
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentAdded:
    request_id: UUID
    occurred_at: datetime
    comment_id: UUID
    requester_id: UUID
    author: str
    comment: Annotated[str, Personal("requester_id")]
    visibility: Visibility
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachNoted:
    """`clock_id` and `due_at` are unknown when the verdict is an imported system's.

    `found_by` names who says so; `breaches` counts those that stand, this one included.
    """

    request_id: UUID
    occurred_at: datetime
    found_by: str
    clock_id: UUID | None
    target: str
    due_at: datetime | None
    breaches: int
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachWithdrawn:
    request_id: UUID
    occurred_at: datetime
    clock_id: UUID
    breaches: int
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestProjectLinked:
    """A project was approved that came from this request."""

    request_id: UUID
    occurred_at: datetime
    project_id: UUID
    project_number: str
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRecorded:
    """All rows up to and including `last_row` of the source have been taken; `rows` of them this time."""

    request_id: UUID
    occurred_at: datetime
    last_row: int
    rows: int
    historic: bool = True


RequestEvent = (
    RequestSubmitted
    | RequesterChanged
    | RequestTriaged
    | RequestAccepted
    | RequestRejected
    | RequestAssigned
    | RequestHeld
    | RequestResumed
    | RequestResponded
    | ContactReceived
    | RequestReprioritised
    | RequestFulfilled
    | RequestClosed
    | RequestReopened
    | RequestWithdrawn
    | RequestConverted
    | CommentAdded
    | BreachNoted
    | BreachWithdrawn
    | RequestProjectLinked
    | HistoryRecorded
)
