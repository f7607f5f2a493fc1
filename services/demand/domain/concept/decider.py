"""The rules of a concept: complete when handed in, granted by a board, then owned."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from services.demand.domain.concept import commands, events
from services.demand.domain.granting import granted, member_of, other_than, refused
from services.demand.domain.proposal import Phase, opening_phase
from services.demand.domain.standing import (
    REVISABLE,
    BoardMissing,
    Concept,
    ConceptExists,
    DateInThePast,
    OwnerMissing,
    complete,
    consistent,
    current,
    in_phase,
    known,
    reasoned,
)
from shared.eventsourcing.decider import Decider


def decide(command: commands.Command, state: Concept | None) -> list[events.Event]:
    match command:
        case commands.ProposeConcept():
            return _propose(command, state)
        case commands.ReviseConcept():
            return _revise(command, known(state))
        case commands.SubmitConcept():
            return _submit(command, known(state))
        case commands.StartScreening():
            return _screen(command, known(state))
        case commands.QualifyConcept():
            return _qualify(command, known(state))
        case commands.VoteOnConcept():
            return _vote(command, known(state))
        case commands.ApproveConcept():
            return _approve(command, known(state))
        case commands.DeferConcept():
            return _defer(command, known(state))
        case commands.DeclineConcept():
            return _decline(command, known(state))
        case commands.StartDelivery():
            in_phase(known(state), Phase.APPROVED)
            return [
                events.DeliveryStarted(
                    started_by=command.started_by,
                    reason=reasoned(command.reason),
                    occurred_at=command.started_at,
                )
            ]
        case commands.TrackBenefits():
            in_phase(known(state), Phase.DELIVERING)
            return [
                events.BenefitTrackingStarted(
                    reported_by=command.reported_by,
                    reason=reasoned(command.reason),
                    occurred_at=command.delivered_at,
                )
            ]
        case commands.CloseConcept():
            in_phase(known(state), Phase.BENEFITS_TRACKED)
            return [
                events.ConceptClosed(
                    closed_by=command.closed_by,
                    reason=reasoned(command.reason),
                    occurred_at=command.closed_at,
                )
            ]
        case _:
            assert_never(command)


def evolve(state: Concept | None, event: events.Event) -> Concept:
    match event:
        case events.ConceptProposed():
            return Concept(
                concept_id=event.concept_id,
                number=event.number,
                phase=event.phase,
                revision=1,
                proposal=event.proposal,
                authors=frozenset({event.proposed_by}),
            )
        case events.ConceptRevised():
            concept = known(state)
            return replace(
                concept,
                phase=event.phase,
                revision=event.revision,
                proposal=event.proposal,
                authors=concept.authors | {event.revised_by},
                votes={},
            )
        case events.ConceptSubmitted():
            concept = known(state)
            return replace(concept, phase=Phase.SUBMITTED, authors=concept.authors | {event.submitted_by})
        case events.ScreeningStarted():
            return replace(known(state), phase=Phase.SCREENING)
        case events.ConceptQualified():
            return replace(known(state), phase=Phase.QUALIFIED)
        case events.VoteCast():
            concept = known(state)
            return replace(concept, votes={**concept.votes, event.member: event.vote})
        case events.ConceptApproved():
            return replace(known(state), phase=Phase.APPROVED)
        case events.ConceptDeferred():
            return replace(known(state), phase=Phase.DEFERRED, votes={})
        case events.ConceptDeclined():
            return replace(known(state), phase=Phase.DECLINED)
        case events.DeliveryStarted():
            return replace(known(state), phase=Phase.DELIVERING)
        case events.BenefitTrackingStarted():
            return replace(known(state), phase=Phase.BENEFITS_TRACKED)
        case events.ConceptClosed():
            return replace(known(state), phase=Phase.CLOSED)
        case _:
            assert_never(event)


def _propose(command: commands.ProposeConcept, state: Concept | None) -> list[events.Event]:
    if state is not None:
        raise ConceptExists(f"{state.number} exists already")
    consistent(command.proposal)
    return [
        events.ConceptProposed(
            concept_id=command.concept_id,
            number=command.number,
            phase=opening_phase(command.proposal),
            proposal=command.proposal,
            proposed_by=command.proposed_by,
            occurred_at=command.proposed_at,
        )
    ]


def _revise(command: commands.ReviseConcept, state: Concept) -> list[events.Event]:
    in_phase(state, *REVISABLE)
    consistent(command.proposal)
    if command.proposal == state.proposal:
        return []
    opened = state.phase in (Phase.IDEA, Phase.DRAFT)
    if not opened:
        complete(command.proposal)
    return [
        events.ConceptRevised(
            revision=state.revision + 1,
            phase=opening_phase(command.proposal) if opened else state.phase,
            proposal=command.proposal,
            revised_by=command.revised_by,
            occurred_at=command.revised_at,
        )
    ]


def _submit(command: commands.SubmitConcept, state: Concept) -> list[events.Event]:
    in_phase(state, Phase.IDEA, Phase.DRAFT)
    complete(state.proposal)
    return [
        events.ConceptSubmitted(
            number=state.number,
            revision=state.revision,
            proposal=state.proposal,
            submitted_by=command.submitted_by,
            occurred_at=command.submitted_at,
        )
    ]


def _screen(command: commands.StartScreening, state: Concept) -> list[events.Event]:
    in_phase(state, Phase.SUBMITTED, Phase.DEFERRED)
    return [
        events.ScreeningStarted(
            screened_by=command.screened_by, reason=reasoned(command.reason), occurred_at=command.started_at
        )
    ]


def _qualify(command: commands.QualifyConcept, state: Concept) -> list[events.Event]:
    in_phase(state, Phase.SUBMITTED, Phase.SCREENING)
    reason = reasoned(command.reason)
    qualified = events.ConceptQualified(
        number=state.number,
        title=state.proposal.title,
        revision=state.revision,
        qualified_by=command.qualified_by,
        reason=reason,
        occurred_at=command.qualified_at,
    )
    if state.phase is Phase.SCREENING:
        return [qualified]
    # Qualified at first sight: the screening was the same look.
    screened = events.ScreeningStarted(
        screened_by=command.qualified_by, reason=reason, occurred_at=command.qualified_at
    )
    return [screened, qualified]


def _vote(command: commands.VoteOnConcept, state: Concept) -> list[events.Event]:
    in_phase(state, Phase.QUALIFIED)
    member = member_of(command.board, command.member)
    other_than(state.authors, command.member)
    current(state, command.revision)
    if state.votes.get(command.member) is command.vote:
        return []
    return [
        events.VoteCast(
            member=command.member,
            vote=command.vote,
            revision=command.revision,
            business=member.business,
            board_id=command.board.board_id,
            board_version=command.board.version,
            reason=reasoned(command.reason),
            occurred_at=command.voted_at,
        )
    ]


def _approve(command: commands.ApproveConcept, state: Concept) -> list[events.Event]:
    in_phase(state, Phase.QUALIFIED)
    other_than(state.authors, command.decided_by)
    current(state, command.revision)
    if not command.owner.name.strip() or not command.team.strip():
        raise OwnerMissing("an approved project needs an owner and a team", field="/owner")
    return [
        events.ConceptApproved(
            concept_id=state.concept_id,
            number=state.number,
            revision=state.revision,
            proposal=state.proposal,
            owner=command.owner,
            team=command.team,
            board_id=command.board.board_id,
            board_name=command.board.name,
            board_version=command.board.version,
            tally=granted(command.board, state.votes, state.proposal),
            decided_by=command.decided_by,
            reason=reasoned(command.reason),
            policies_consulted=command.policies_consulted,
            occurred_at=command.decided_at,
        )
    ]


def _defer(command: commands.DeferConcept, state: Concept) -> list[events.Event]:
    in_phase(state, Phase.SUBMITTED, Phase.SCREENING, Phase.QUALIFIED)
    other_than(state.authors, command.decided_by)
    if command.until <= command.decided_at.date():
        raise DateInThePast(f"{command.until} is not ahead", remedy="name a later day", field="/until")
    return [
        events.ConceptDeferred(
            number=state.number,
            title=state.proposal.title,
            until=command.until,
            decided_by=command.decided_by,
            reason=reasoned(command.reason),
            occurred_at=command.decided_at,
        )
    ]


def _decline(command: commands.DeclineConcept, state: Concept) -> list[events.Event]:
    in_phase(state, Phase.SUBMITTED, Phase.SCREENING, Phase.QUALIFIED)
    other_than(state.authors, command.decided_by)
    before_the_board = state.phase is Phase.QUALIFIED
    if before_the_board and command.board is None:
        raise BoardMissing("the concept is before a board, which has to decide", field="/board")
    return [
        events.ConceptDeclined(
            number=state.number,
            title=state.proposal.title,
            tally=refused(command.board, state.votes) if before_the_board and command.board else None,
            decided_by=command.decided_by,
            reason=reasoned(command.reason),
            occurred_at=command.decided_at,
        )
    ]


CONCEPT: Decider[commands.Command, Concept | None, events.Event] = Decider(
    stream="concept", initial=None, decide=decide, evolve=evolve
)
