"""The steps of a change over HTTP: edits, submission, classification ... outcome."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import AwareDatetime, Field

from services.intake.api.rfcs import Content
from services.intake.api.steps import Asked, Nothing, Way, plain_way, steps_router, utc
from services.intake.domain.classification import Facts
from services.intake.domain.people import person_id
from services.intake.domain.rfc import commands as ask
from services.intake.domain.rfc.decider import RFC
from services.intake.domain.vocabulary import ChangeOutcome, ChangeType, Decision, Level, Vote
from shared.http.context import ServiceContext
from shared.http.validation import Body

Line = Annotated[str, Field(max_length=200)]
Words = Annotated[str, Field(max_length=2_000)]


class Edit(Content):
    """The fields that change; what is left out stays as it is."""

    title: str = Field(default="", min_length=1, max_length=200, description="one line")


class Classification(Body):
    change_type: ChangeType = Field(description="how it is governed; another than before needs type_reason")
    type_reason: Words = Field(default="", description="why the type is another one")
    service_impact: Level = Field(description="how much the service is touched")
    new_service: bool = Field(description="it brings a service that does not exist yet")
    expected_risk: Level = Field(description="of making the change, at first sight")
    initial_resources: Words = Field(description="first estimate of people, time and money")
    impact: Level = Field(description="on the business")
    urgency: Level = Field(description="how soon it must be done")
    risk_of_not_accepting: Level = Field(description="of leaving things as they are; high raises urgency")
    affected_services: tuple[Line, ...] = Field(default=(), max_length=200, description="other services")


class Assessment(Body):
    answers: dict[Annotated[str, Field(max_length=50)], Annotated[str, Field(max_length=50)]] = Field(
        max_length=50, description="one answer for every factor of the risk model"
    )


class Ballot(Body):
    vote: Vote = Field(description="approve, reject or abstain")
    revision: int = Field(ge=1, description="the revision that was read")
    comment: Words = Field(default="", description="what should be considered")


class DecisionBody(Body):
    decision: Decision = Field(description="approve, reject or defer")
    revision: int = Field(ge=1, description="the revision that was read")
    reason: Words = Field(default="", description="why; needed unless it is approved")
    until: AwareDatetime | None = Field(default=None, description="a deferral's end, RFC 3339")


class Why(Body):
    reason: str = Field(min_length=1, max_length=2_000, description="why")


class Schedule(Body):
    starts_at: AwareDatetime = Field(description="start of the work, RFC 3339")
    ends_at: AwareDatetime = Field(description="end of the work, RFC 3339")


class Implementation(Body):
    implementer_id: UUID | None = Field(default=None, description="who does it; the caller when left out")


class Outcome(Body):
    outcome: ChangeOutcome = Field(description="how it went")


def _edit(body: Edit, asked: Asked) -> ask.EditRfc:
    return ask.EditRfc(occurred_at=asked.at, changes=body.said())


def _classify(body: Classification, asked: Asked) -> ask.ClassifyRfc:
    facts = {name: getattr(body, name) for name in Facts.__slots__}
    return ask.ClassifyRfc(
        occurred_at=asked.at,
        change_type=body.change_type,
        type_reason=body.type_reason,
        facts=Facts(**facts),
        affected_services=body.affected_services,
    )


def _assess(body: Assessment, asked: Asked) -> ask.AssessRisk:
    return ask.AssessRisk(occurred_at=asked.at, assessed_by=person_id(asked.actor.name), answers=body.answers)


def _vote(body: Ballot, asked: Asked) -> ask.CastVote:
    return ask.CastVote(
        occurred_at=asked.at,
        voter_id=person_id(asked.actor.name),
        vote=body.vote,
        revision=body.revision,
        comment=body.comment,
    )


def _decide(body: DecisionBody, asked: Asked) -> ask.DecideRfc:
    return ask.DecideRfc(
        occurred_at=asked.at,
        decided_by=person_id(asked.actor.name),
        roles=asked.actor.roles,
        decision=body.decision,
        revision=body.revision,
        reason=body.reason,
        until=utc(body.until),
    )


def _start(body: Implementation, asked: Asked) -> ask.StartImplementation:
    return ask.StartImplementation(
        occurred_at=asked.at, implementer_id=body.implementer_id or person_id(asked.actor.name)
    )


WAYS = (
    Way(name="edits", summary="Say something else", body=Edit, command=_edit),
    plain_way("submission", "Ask for it to be looked at", Nothing, ask.SubmitRfc),
    Way(name="classification", summary="Judge type and weight", body=Classification, command=_classify),
    Way(name="assessment", summary="Assess its risk", body=Assessment, command=_assess),
    Way(name="votes", summary="Vote on it", body=Ballot, command=_vote),
    Way(name="decision", summary="Approve, reject or defer it", body=DecisionBody, command=_decide),
    plain_way("reversion", "Take it back to a draft", Why, ask.RevertRfc),
    plain_way("schedule", "Give it its window", Schedule, ask.ScheduleRfc),
    Way(name="implementation", summary="Begin the work", body=Implementation, command=_start),
    plain_way("outcome", "Say how the work went", Outcome, ask.RecordImplementation),
)


def router(context: ServiceContext) -> APIRouter:
    return steps_router(context, RFC, "rfcs", "rfc_id", WAYS)
