"""The life of a service, told as given, when, then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from services.catalog.domain.facts import Owners, Party, ServiceFacts, service_id_of
from services.catalog.domain.phases import Phase
from services.catalog.domain.service import commands, events
from services.catalog.domain.service.decider import (
    SERVICE,
    NameMissing,
    NameTaken,
    NotReadyForService,
    OwnerMissing,
    ReasonMissing,
    StillNeeded,
    TransitionNotAllowed,
    UnknownService,
)
from tests.support.specification import specify

NAME = "Desktop Computing"
NOW = datetime(2026, 6, 17, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
OWNERS = Owners(
    service_owner=Party(name="Neil Orint", person_id=UUID(int=7)),
    business_owner=Party(name="Chief Operating Officer"),
)
PROJECT = UUID("0197a000-0000-7000-8000-000000000001")

PROPOSED = events.ServiceRegistered(
    service_id=service_id_of(NAME),
    name=NAME,
    phase=Phase.PROPOSED,
    facts=ServiceFacts(description="A desk for everybody"),
    owners=Owners(),
    service_map="",
    agreement="",
    project_id=None,
    occurred_at=NOW,
)
OWNED = events.OwnersAssigned(owners=OWNERS, was=Owners(), reason="hand-over", occurred_at=NOW)
APPROVED = events.PhaseChanged(
    phase=Phase.APPROVED,
    was=Phase.PROPOSED,
    service_map="",
    agreement="",
    reason="worth it",
    occurred_at=NOW,
)
LIVE = events.PhaseChanged(
    phase=Phase.IN_SERVICE,
    was=Phase.APPROVED,
    service_map="maps/desktop",
    agreement="SLA 1.0",
    reason="pilot passed",
    occurred_at=LATER,
)
RETIRING = replace(LIVE, phase=Phase.RETIRING, was=Phase.IN_SERVICE, reason="replaced by the web desk")

REGISTER = commands.RegisterService(
    service_id=service_id_of(NAME),
    name=NAME,
    facts=ServiceFacts(description="A desk for everybody"),
    owners=Owners(),
    existing=False,
    service_map="",
    agreement="",
    registered_at=NOW,
)
GO_LIVE = commands.PutInService(
    service_map="maps/desktop", agreement="SLA 1.0", reason="pilot passed", live_at=LATER
)
RETIRE = commands.RetireService(
    users=0, dependents=0, open_rfcs=0, agreements_in_force=(), reason="switched off", retired_at=LATER
)
ADMIT = commands.AdmitProject(
    service_id=service_id_of(NAME),
    service_name=NAME,
    project_id=PROJECT,
    number="CON-2026-000007",
    title="New desks",
    description="Desks that follow people",
    designation="sustaining",
    owner="Ann Beebe",
    team="Desktop engineering",
    new_service=True,
    approved_at=NOW,
    historic=False,
)
LINKED = events.ProjectLinked(
    project_id=PROJECT,
    number="CON-2026-000007",
    title="New desks",
    description="Desks that follow people",
    designation="sustaining",
    owner="Ann Beebe",
    team="Desktop engineering",
    new_service=True,
    known_before=True,
    occurred_at=NOW,
)

service = specify(SERVICE)


def test_a_registered_service_is_a_proposal() -> None:
    service.when(REGISTER).then(PROPOSED)


def test_a_service_that_exists_already_enters_in_service_whatever_it_lacks() -> None:
    service.when(replace(REGISTER, existing=True)).then(replace(PROPOSED, phase=Phase.IN_SERVICE))


def test_a_name_is_taken_once() -> None:
    service.given(PROPOSED).when(REGISTER).then_rejected(NameTaken, field="/name")


def test_a_service_needs_a_name() -> None:
    service.when(replace(REGISTER, name=" ")).then_rejected(NameMissing, field="/name")


def test_an_approved_project_brings_its_service_into_the_pipeline() -> None:
    service.when(ADMIT).then(
        replace(
            PROPOSED,
            phase=Phase.APPROVED,
            facts=ServiceFacts(description="Desks that follow people"),
            project_id=PROJECT,
        ),
        replace(LINKED, known_before=False),
    )


def test_an_approved_project_is_linked_to_the_service_it_names() -> None:
    service.given(PROPOSED, APPROVED, OWNED, LIVE).when(ADMIT).then(LINKED)


def test_an_approved_project_approves_the_proposal_it_names() -> None:
    service.given(PROPOSED).when(ADMIT).then(
        LINKED, replace(APPROVED, reason="the board approved CON-2026-000007")
    )


def test_the_same_project_is_linked_once() -> None:
    service.given(PROPOSED, LINKED).when(ADMIT).then_nothing()


def test_even_a_retired_service_remembers_a_project_that_the_board_approved() -> None:
    retired = replace(RETIRING, phase=Phase.RETIRED, was=Phase.RETIRING)
    service.given(PROPOSED, APPROVED, OWNED, LIVE, RETIRING, retired).when(ADMIT).then(LINKED)


def test_a_service_with_owners_map_and_agreement_goes_live() -> None:
    service.given(PROPOSED, OWNED, APPROVED).when(GO_LIVE).then(LIVE)


def test_nothing_goes_live_without_its_owners() -> None:
    refusal = service.given(PROPOSED, APPROVED).when(GO_LIVE).then_rejected(NotReadyForService)
    assert "no_service_owner" in refusal.detail
    assert "no_business_owner" in refusal.detail


def test_nothing_goes_live_without_map_and_agreement() -> None:
    blank = replace(GO_LIVE, service_map="", agreement="")
    refusal = service.given(PROPOSED, OWNED, APPROVED).when(blank).then_rejected(NotReadyForService)
    assert "no_service_map, no_agreement" in refusal.detail


def test_a_proposal_cannot_go_live_before_it_is_approved() -> None:
    refusal = service.given(PROPOSED, OWNED).when(GO_LIVE).then_rejected(TransitionNotAllowed)
    assert refusal.remedy == "what can follow now: approval, refusal"


def test_a_declined_proposal_stays_declined() -> None:
    decline = commands.DeclineService(reason="too dear", declined_at=NOW)
    approve = commands.ApproveService(reason="still", approved_at=NOW)
    service.given(PROPOSED).when(decline, approve).then_rejected(TransitionNotAllowed)


def test_a_service_is_built_before_it_goes_live() -> None:
    build = commands.StartDevelopment(reason="team is ready", started_at=NOW)
    service.given(PROPOSED, OWNED, APPROVED).when(build, GO_LIVE).then(
        replace(LIVE, was=Phase.IN_DEVELOPMENT)
    )


def test_a_decision_needs_its_reason() -> None:
    approve = commands.ApproveService(reason=" ", approved_at=NOW)
    service.given(PROPOSED).when(approve).then_rejected(ReasonMissing, field="/reason")


def test_a_service_in_use_cannot_lose_its_owner() -> None:
    leave = commands.AssignOwners(
        owners=replace(OWNERS, business_owner=None), reason="she left", assigned_at=LATER
    )
    service.given(PROPOSED, APPROVED, OWNED, LIVE).when(leave).then_rejected(
        OwnerMissing, field="/business_owner"
    )


def test_a_proposal_may_still_lack_an_owner() -> None:
    owners = replace(OWNERS, business_owner=None)
    leave = commands.AssignOwners(owners=owners, reason="she left", assigned_at=NOW)
    service.given(PROPOSED, OWNED).when(leave).then(
        replace(OWNED, owners=owners, was=OWNERS, reason="she left")
    )


def test_the_same_owners_again_change_nothing() -> None:
    again = commands.AssignOwners(owners=OWNERS, reason="again", assigned_at=LATER)
    service.given(PROPOSED, OWNED).when(again).then_nothing()


def test_an_entry_is_revised_as_a_whole() -> None:
    facts = ServiceFacts(description="A better desk")
    revise = commands.ReviseFacts(facts=facts, revised_at=LATER)
    service.given(PROPOSED).when(revise).then(events.FactsRevised(name=NAME, facts=facts, occurred_at=LATER))
    service.given(PROPOSED).when(revise, revise).then_nothing()


def test_a_retiring_service_can_be_kept() -> None:
    keep = commands.ReinstateService(reason="still needed", reinstated_at=LATER)
    service.given(PROPOSED, OWNED, APPROVED, LIVE, RETIRING).when(keep).then(
        replace(LIVE, was=Phase.RETIRING, reason="still needed")
    )


def test_a_service_is_queued_for_decommissioning_before_it_ends() -> None:
    announce = commands.AnnounceRetirement(reason="replaced", announced_at=LATER)
    live = service.given(PROPOSED, OWNED, APPROVED, LIVE)
    live.when(RETIRE).then_rejected(TransitionNotAllowed)
    live.when(announce, RETIRE).then(
        replace(LIVE, phase=Phase.RETIRED, was=Phase.RETIRING, reason="switched off")
    )


def test_nothing_is_retired_while_somebody_rests_on_it() -> None:
    needed = replace(RETIRE, users=3, open_rfcs=1, agreements_in_force=("SLA 1.0",))
    refusal = service.given(PROPOSED, OWNED, APPROVED, LIVE, RETIRING).when(needed).then_rejected(StillNeeded)
    assert "3 users, 1 open RFCs, 1 agreements in force" in refusal.detail


def test_an_ended_service_is_no_longer_revised() -> None:
    declined = replace(APPROVED, phase=Phase.DECLINED)
    revise = commands.ReviseFacts(facts=ServiceFacts(), revised_at=LATER)
    service.given(PROPOSED, declined).when(revise).then_rejected(TransitionNotAllowed)


def test_a_service_that_was_never_registered_cannot_move() -> None:
    service.when(GO_LIVE).then_rejected(UnknownService)
