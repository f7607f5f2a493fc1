"""Votes and decisions on a change: bound to a revision, four eyes, by the right role."""

from __future__ import annotations

from uuid import UUID

from services.intake.domain.change_lifecycle import (
    FourEyes,
    NotTheirDecision,
    ReasonMissing,
    Rfc,
    StaleRevision,
    StillDeferred,
    incomplete,
    missing_before_approval,
)
from services.intake.domain.rfc import commands as ask
from services.intake.domain.rfc import events as past
from services.intake.domain.rfc.events import RfcEvent
from services.intake.domain.vocabulary import ChangeType, Decision

# Woodgrove Bank: the Service Desk Manager alone decides on an emergency; the change manager, as chair of the
# board, records the decision on a normal change.
_DECIDES = {
    ChangeType.EMERGENCY: "service_desk_manager",
    ChangeType.NORMAL: "change_manager",
    ChangeType.STANDARD: "change_manager",
}
_ADMINISTRATOR = "administrator"


def voted(command: ask.CastVote, state: Rfc, rfc_id: UUID) -> list[RfcEvent]:
    """Take a vote on the revision that the voter has read; the same vote again changes nothing."""
    _check_revision(command.revision, state)
    if command.voter_id == state.requester_id:
        raise FourEyes("whoever asks for a change has no vote on it")
    if state.votes.get(command.voter_id) is command.vote:
        return []
    return [
        past.VoteCast(
            rfc_id=rfc_id,
            occurred_at=command.occurred_at,
            voter_id=command.voter_id,
            vote=command.vote,
            comment=command.comment,
            revision=state.revision,
        )
    ]


def decided(command: ask.DecideRfc, state: Rfc, rfc_id: UUID) -> list[RfcEvent]:
    """Approve, reject or defer the revision that the decider has read."""
    _check_revision(command.revision, state)
    _check_decider(command, state)
    at = command.occurred_at
    if state.deferred_until is not None and at < state.deferred_until:
        raise StillDeferred(f"the decision is deferred until {state.deferred_until.isoformat()}")
    match command.decision:
        case Decision.APPROVE:
            return [_approved(command, state, rfc_id)]
        case Decision.REJECT:
            return [
                past.RfcRejected(
                    rfc_id=rfc_id,
                    occurred_at=at,
                    decided_by=command.decided_by,
                    reason=_said(command),
                    revision=state.revision + 1,
                )
            ]
        case Decision.DEFER:
            if command.until is None or command.until <= at:
                raise ReasonMissing("a deferral names the later time at which it ends", field="/until")
            return [
                past.RfcDeferred(
                    rfc_id=rfc_id,
                    occurred_at=at,
                    decided_by=command.decided_by,
                    until=command.until,
                    reason=_said(command),
                )
            ]


def _approved(command: ask.DecideRfc, state: Rfc, rfc_id: UUID) -> past.RfcApproved:
    missing = missing_before_approval(state.text)
    if missing and state.change_type is not ChangeType.EMERGENCY:
        raise incomplete(missing, "approved")
    return past.RfcApproved(
        rfc_id=rfc_id,
        occurred_at=command.occurred_at,
        decided_by=command.decided_by,
        reason=command.reason,
        revision=state.revision,
    )


def _check_revision(read: int, state: Rfc) -> None:
    if read != state.revision:
        raise StaleRevision(
            f"the RFC is at revision {state.revision}, not {read}", remedy="read it again", field="/revision"
        )


def _check_decider(command: ask.DecideRfc, state: Rfc) -> None:
    if command.decided_by == state.requester_id:
        raise FourEyes(
            "whoever asks for a change does not decide on it", remedy="ask somebody else to decide"
        )
    role = _DECIDES[state.change_type]
    if command.roles.isdisjoint((role, _ADMINISTRATOR)):
        raise NotTheirDecision(f"the {role} decides on {state.change_type} changes")


def _said(command: ask.DecideRfc) -> str:
    if not command.reason:
        raise ReasonMissing(f"to {command.decision} a change, say why", field="/reason")
    return command.reason
