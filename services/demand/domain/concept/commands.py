"""What may be asked of a project concept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.demand.domain.board import Board, Vote
from services.demand.domain.proposal import Party, Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeConcept:
    """Write an idea or a draft down. `number` is the serial that people call it by."""

    concept_id: UUID
    number: str
    proposal: Proposal
    proposed_by: str
    proposed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviseConcept:
    """Replace what the concept says; votes on earlier revisions stop counting."""

    proposal: Proposal
    revised_by: str
    revised_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitConcept:
    """Hand a complete draft in."""

    submitted_by: str
    submitted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StartScreening:
    """Take a submitted or a deferred concept up."""

    screened_by: str
    reason: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QualifyConcept:
    """Put a screened concept before the board."""

    qualified_by: str
    reason: str
    qualified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteOnConcept:
    """A member's vote on the revision they read; `board` is the board as it stands now."""

    member: str
    vote: Vote
    revision: int
    board: Board
    reason: str
    voted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveConcept:
    """The board's yes: the project gets an owner and a team."""

    revision: int
    board: Board
    owner: Party
    team: str
    decided_by: str
    reason: str
    policies_consulted: tuple[str, ...]
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferConcept:
    """Not now: to be taken up again on `until`."""

    until: date
    decided_by: str
    reason: str
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineConcept:
    """No. `board` is needed once the concept is before it."""

    board: Board | None
    decided_by: str
    reason: str
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDelivery:
    """The team begins with envisioning."""

    started_by: str
    reason: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackBenefits:
    """It is delivered: from now on its benefits are measured against the promise."""

    reported_by: str
    reason: str
    delivered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseConcept:
    """Nothing more is to be learnt from it."""

    closed_by: str
    reason: str
    closed_at: datetime


Command = (
    ProposeConcept
    | ReviseConcept
    | SubmitConcept
    | StartScreening
    | QualifyConcept
    | VoteOnConcept
    | ApproveConcept
    | DeferConcept
    | DeclineConcept
    | StartDelivery
    | TrackBenefits
    | CloseConcept
)
