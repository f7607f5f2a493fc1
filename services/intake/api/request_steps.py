"""The steps of a request over HTTP: triage, acceptance, assignment, hold ... comments."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from services.intake.api.steps import Asked, Nothing, Way, plain_way, steps_router
from services.intake.domain.request import commands as ask
from services.intake.domain.request.decider import REQUEST
from services.intake.domain.vocabulary import Channel, CloseReason, HoldReason, Level, Visibility
from shared.http.context import ServiceContext
from shared.http.validation import Body
from shared.runtime.ids import derived, uuid7

Line = Annotated[str, Field(min_length=1, max_length=200)]


class Triage(Body):
    service: Line = Field(description="as the catalog names it")
    category: str = Field(default="", max_length=200, description="within the service")
    impact: Level = Field(description="how much of the business it touches")
    urgency: Level = Field(description="how soon it must be done")


class Reason(Body):
    reason: str = Field(min_length=1, max_length=2_000, description="why, in words for the requester")


class Assignment(Body):
    group: Line = Field(description="who works on it")
    assignee: Line | None = Field(default=None, description="the sign-in name of one of them")


class Hold(Body):
    reason: HoldReason = Field(description="whom or what it waits for")


class Answer(Body):
    human: bool = Field(default=True, description="false for an automatic receipt")
    channel: Channel = Field(description="how the requester was answered")


class Contact(Body):
    channel: Channel = Field(description="how the requester got in touch")


class Weight(Body):
    impact: Level = Field(description="how much of the business it touches")
    urgency: Level = Field(description="how soon it must be done")


class Closure(Body):
    reason: Literal[CloseReason.CONFIRMED, CloseReason.NO_ANSWER] = Field(
        default=CloseReason.CONFIRMED, description="why it ends; a converted request ends with its change"
    )


class Comment(Body):
    comment: str = Field(min_length=1, max_length=20_000, description="what is said")
    visibility: Visibility = Field(default=Visibility.PUBLIC, description="public, or for staff only")


def _comment(body: Comment, asked: Asked) -> ask.AddComment:
    """Make the comment; a repeated Idempotency-Key names the same one."""
    key = asked.key
    return ask.AddComment(
        occurred_at=asked.at,
        comment_id=uuid7() if key is None else derived(asked.record_id, key.scope, key.key),
        author=asked.actor.name,
        comment=body.comment,
        visibility=body.visibility,
    )


WAYS = (
    plain_way("triage", "Judge service, category and weight", Triage, ask.TriageRequest),
    plain_way("acceptance", "Say that IT will do it", Nothing, ask.AcceptRequest),
    plain_way("rejection", "Say that IT will not do it, and why", Reason, ask.RejectRequest),
    plain_way(
        "assignment", "Give it to a group, perhaps to one of its people", Assignment, ask.AssignRequest
    ),
    plain_way("hold", "Say what it waits for", Hold, ask.HoldRequest),
    plain_way("resumption", "Say that it no longer waits", Nothing, ask.ResumeRequest),
    plain_way("responses", "Record that the requester was answered", Answer, ask.RecordResponse),
    plain_way("contacts", "Record that the requester got in touch", Contact, ask.RecordContact),
    plain_way("priority", "Weigh it anew", Weight, ask.ReprioritiseRequest),
    plain_way("fulfilment", "Say that it has been done", Nothing, ask.FulfilRequest),
    plain_way("closure", "End it", Closure, ask.CloseRequest),
    plain_way("reopening", "Say that it was not done after all", Nothing, ask.ReopenRequest),
    plain_way("withdrawal", "Say that it is no longer wanted", Nothing, ask.WithdrawRequest),
    Way(name="comments", summary="Say something about it", body=Comment, command=_comment, status=201),
)


def router(context: ServiceContext) -> APIRouter:
    return steps_router(context, REQUEST, "requests", "request_id", WAYS)
