"""The rules of a service's life: its name, what opens it to users, what lets it end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.catalog.domain.facts import Owners, Party, ServiceFacts
from services.catalog.domain.phases import ENDED, LIVE, WAYS, Phase, Transition, gaps, transitions_from
from services.catalog.domain.service import commands, events
from shared.eventsourcing.decider import Decider, NotFound, Rejected, Unprocessable


class UnknownService(NotFound):
    """The catalog has no such service."""


class NameTaken(Rejected):
    """A service of this name is in the catalog already."""


class NameMissing(Unprocessable):
    """A service needs a name in business terms."""


class ReasonMissing(Unprocessable):
    """A decision needs its reason."""


class TransitionNotAllowed(Rejected):
    """The service's phase has no such way out."""


class NotReadyForService(Rejected):
    """Something that every service in use must have is missing."""


class OwnerMissing(Rejected):
    """A service in use cannot be left without an owner."""


class StillNeeded(Rejected):
    """Somebody or something still rests on the service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is known of one service."""

    name: str
    phase: Phase
    facts: ServiceFacts
    owners: Owners
    service_map: str
    agreement: str
    projects: frozenset[UUID] = frozenset()


def decide(command: commands.Command, state: Service | None) -> list[events.Event]:
    match command:
        case commands.RegisterService():
            return _register(command, state)
        case commands.AdmitProject():
            return _admit(command, state)
        case commands.ReviseFacts():
            return _revise(command, _known(state))
        case commands.AssignOwners():
            return _assign(command, _known(state))
        case commands.ApproveService():
            return [_move(_known(state), Transition.APPROVAL, command.reason, command.approved_at)]
        case commands.DeclineService():
            return [_move(_known(state), Transition.REFUSAL, command.reason, command.declined_at)]
        case commands.StartDevelopment():
            return [_move(_known(state), Transition.DEVELOPMENT, command.reason, command.started_at)]
        case commands.PutInService():
            return _put_in_service(command, _known(state))
        case commands.AnnounceRetirement():
            return [_move(_known(state), Transition.RETIREMENT_NOTICE, command.reason, command.announced_at)]
        case commands.ReinstateService():
            return [_move(_known(state), Transition.REINSTATEMENT, command.reason, command.reinstated_at)]
        case commands.RetireService():
            return _retire(command, _known(state))
        case _:
            assert_never(command)


def evolve(state: Service | None, event: events.Event) -> Service:
    match event:
        case events.ServiceRegistered():
            return Service(
                name=event.name,
                phase=event.phase,
                facts=event.facts,
                owners=event.owners,
                service_map=event.service_map,
                agreement=event.agreement,
            )
        case events.ProjectLinked():
            known = _known(state)
            return replace(known, projects=known.projects | {event.project_id})
        case events.FactsRevised():
            return replace(_known(state), facts=event.facts)
        case events.OwnersAssigned():
            return replace(_known(state), owners=event.owners)
        case events.PhaseChanged():
            return replace(
                _known(state), phase=event.phase, service_map=event.service_map, agreement=event.agreement
            )
        case _:
            assert_never(event)


def _register(command: commands.RegisterService, state: Service | None) -> list[events.Event]:
    if state is not None:
        raise NameTaken(
            f"the catalog has a service called {state.name!r}, which is {state.phase}",
            remedy="revise that entry, or choose another name",
            field="/name",
        )
    if not command.name.strip():
        raise NameMissing("the name is blank", remedy="spell it out in business terms", field="/name")
    return [
        events.ServiceRegistered(
            service_id=command.service_id,
            name=command.name,
            phase=Phase.IN_SERVICE if command.existing else Phase.PROPOSED,
            facts=command.facts,
            owners=command.owners,
            service_map=command.service_map,
            agreement=command.agreement,
            project_id=None,
            occurred_at=command.registered_at,
        )
    ]


def _admit(command: commands.AdmitProject, state: Service | None) -> list[events.Event]:
    """Never refuse: the board has decided, the catalog only records what follows from it."""
    if state is not None and command.project_id in state.projects:
        return []
    linked = events.ProjectLinked(
        project_id=command.project_id,
        number=command.number,
        title=command.title,
        description=command.description,
        designation=command.designation,
        owner=command.owner,
        team=command.team,
        new_service=command.new_service,
        known_before=state is not None,
        occurred_at=command.approved_at,
        historic=command.historic,
    )
    if state is None:
        return [_registered_by_project(command), linked]
    if state.phase is not Phase.PROPOSED:
        return [linked]
    approved = _move(state, Transition.APPROVAL, f"the board approved {command.number}", command.approved_at)
    return [linked, replace(approved, historic=command.historic)]


def _registered_by_project(command: commands.AdmitProject) -> events.ServiceRegistered:
    return events.ServiceRegistered(
        service_id=command.service_id,
        name=command.service_name,
        phase=Phase.APPROVED,
        facts=ServiceFacts(description=command.description),
        owners=Owners(),
        service_map="",
        agreement="",
        project_id=command.project_id,
        occurred_at=command.approved_at,
        historic=command.historic,
    )


def _revise(command: commands.ReviseFacts, state: Service) -> list[events.Event]:
    _still_living(state)
    if command.facts == state.facts:
        return []
    return [events.FactsRevised(name=state.name, facts=command.facts, occurred_at=command.revised_at)]


def _assign(command: commands.AssignOwners, state: Service) -> list[events.Event]:
    _still_living(state)
    if command.owners == state.owners:
        return []
    if state.phase in LIVE:
        _keep("/service_owner", was=state.owners.service_owner, now=command.owners.service_owner)
        _keep("/business_owner", was=state.owners.business_owner, now=command.owners.business_owner)
    return [
        events.OwnersAssigned(
            owners=command.owners,
            was=state.owners,
            reason=_reason(command.reason),
            occurred_at=command.assigned_at,
        )
    ]


def _keep(field: str, *, was: Party | None, now: Party | None) -> None:
    if was is not None and now is None:
        raise OwnerMissing(
            f"a service in use cannot lose {was.name} without a successor", remedy="name one", field=field
        )


def _put_in_service(command: commands.PutInService, state: Service) -> list[events.Event]:
    service_map = command.service_map or state.service_map
    agreement = command.agreement or state.agreement
    moved = _move(state, Transition.GO_LIVE, command.reason, command.live_at)
    missing = gaps(state.owners, service_map=service_map, agreement=agreement)
    if missing:
        raise NotReadyForService(
            f"{state.name} cannot go into service: {', '.join(missing)}",
            remedy="assign both owners, publish the map and sign an agreement (an OLA for internal services)",
        )
    return [replace(moved, service_map=service_map, agreement=agreement)]


def _retire(command: commands.RetireService, state: Service) -> list[events.Event]:
    moved = _move(state, Transition.RETIREMENT, command.reason, command.retired_at)
    needed = {
        "users": command.users,
        "dependent services": command.dependents,
        "open RFCs": command.open_rfcs,
        "agreements in force": len(command.agreements_in_force),
    }
    left = [f"{count} {what}" for what, count in needed.items() if count]
    if left:
        raise StillNeeded(
            f"{state.name} still has {', '.join(left)}", remedy="move or end them before the retirement"
        )
    return [moved]


def _move(state: Service, transition: Transition, reason: str, at: datetime) -> events.PhaseChanged:
    way = WAYS[transition]
    if state.phase not in way.sources:
        allowed = ", ".join(transitions_from(state.phase)) or "nothing"
        raise TransitionNotAllowed(
            f"{state.name} is {state.phase}, which does not lead to {way.target}",
            remedy=f"what can follow now: {allowed}",
        )
    return events.PhaseChanged(
        phase=way.target,
        was=state.phase,
        service_map=state.service_map,
        agreement=state.agreement,
        reason=_reason(reason),
        occurred_at=at,
    )


def _reason(text: str) -> str:
    if not text.strip():
        raise ReasonMissing("the reason is blank", remedy="say why in a sentence", field="/reason")
    return text


def _still_living(state: Service) -> None:
    if state.phase in ENDED:
        raise TransitionNotAllowed(f"{state.name} is {state.phase}", remedy="register a new service")


def _known(state: Service | None) -> Service:
    if state is None:
        raise UnknownService("there is no such service", remedy="look it up: GET /v1/services/match?text=")
    return state


SERVICE: Decider[commands.Command, Service | None, events.Event] = Decider(
    stream="service", initial=None, decide=decide, evolve=evolve
)
