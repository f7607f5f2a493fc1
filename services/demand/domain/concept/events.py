"""What happened to a project concept; stored for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.demand.domain.board import Tally, Vote
from services.demand.domain.proposal import Party, Phase, Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptProposed:
    """Somebody wrote an idea or a draft down: revision 1."""

    concept_id: UUID
    number: str
    phase: Phase
    proposal: Proposal
    proposed_by: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptRevised:
    """It says something else; `phase` is where it stands with that."""

    revision: int
    phase: Phase
    proposal: Proposal
    revised_by: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptSubmitted:
    """It was handed in, complete; what it said then stands here for those who hear of it."""

    number: str
    revision: int
    proposal: Proposal
    submitted_by: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreeningStarted:
    """The portfolio manager looks at it."""

    screened_by: str
    reason: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptQualified:
    """It goes before the board."""

    number: str
    title: str
    revision: int
    qualified_by: str
    reason: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteCast:
    """A member voted on a revision; a later vote of the same member replaces it."""

    member: str
    vote: Vote
    revision: int
    business: bool
    board_id: UUID
    board_version: int
    reason: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptApproved:
    """The board granted it: a project with an owner and a team. Says all that others need to take it up."""

    concept_id: UUID
    number: str
    revision: int
    proposal: Proposal
    owner: Party
    team: str
    board_id: UUID
    board_name: str
    board_version: int
    tally: Tally
    decided_by: str
    reason: str
    policies_consulted: tuple[str, ...]
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptDeferred:
    """Not now, but again on `until`."""

    number: str
    title: str
    until: date
    decided_by: str
    reason: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptDeclined:
    """No. `tally` is None where it never came before the board."""

    number: str
    title: str
    tally: Tally | None
    decided_by: str
    reason: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryStarted:
    """The team began."""

    started_by: str
    reason: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BenefitTrackingStarted:
    """It is delivered and now has to show what it promised."""

    reported_by: str
    reason: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConceptClosed:
    """Its story is told."""

    closed_by: str
    reason: str
    occurred_at: datetime
    historic: bool = False


Event = (
    ConceptProposed
    | ConceptRevised
    | ConceptSubmitted
    | ScreeningStarted
    | ConceptQualified
    | VoteCast
    | ConceptApproved
    | ConceptDeferred
    | ConceptDeclined
    | DeliveryStarted
    | BenefitTrackingStarted
    | ConceptClosed
)
