"""Whatever is asked of a service in whatever order, its rules hold."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain.facts import Owners, Party, ServiceFacts, service_id_of
from services.catalog.domain.phases import LIVE, Phase, gaps, transitions_from
from services.catalog.domain.service import commands
from services.catalog.domain.service.decider import SERVICE, Service
from shared.eventsourcing.decider import Rejected

NOW = datetime(2026, 1, 5, tzinfo=UTC)
TEXTS = st.sampled_from(["", "x", "y"])
PARTIES = st.sampled_from([None, Party(name="x"), Party(name="y", person_id=UUID(int=7))])
OWNERS = st.builds(Owners, service_owner=PARTIES, business_owner=PARTIES)
FACTS = st.builds(ServiceFacts, description=TEXTS)
COUNTS = st.integers(0, 1)
AT = st.just(NOW)
COMMANDS: st.SearchStrategy[commands.Command] = st.one_of(
    st.builds(
        commands.RegisterService,
        service_id=st.just(service_id_of("a")),
        name=st.sampled_from(["a", " "]),
        facts=FACTS,
        owners=OWNERS,
        existing=st.booleans(),
        service_map=TEXTS,
        agreement=TEXTS,
        registered_at=AT,
    ),
    st.builds(
        commands.AdmitProject,
        service_id=st.just(service_id_of("a")),
        service_name=st.just("a"),
        project_id=st.sampled_from([UUID(int=1), UUID(int=2)]),
        number=TEXTS,
        title=TEXTS,
        description=TEXTS,
        designation=TEXTS,
        owner=TEXTS,
        team=TEXTS,
        new_service=st.booleans(),
        approved_at=AT,
        historic=st.booleans(),
    ),
    st.builds(commands.ReviseFacts, facts=FACTS, revised_at=AT),
    st.builds(commands.AssignOwners, owners=OWNERS, reason=TEXTS, assigned_at=AT),
    st.builds(commands.ApproveService, reason=TEXTS, approved_at=AT),
    st.builds(commands.DeclineService, reason=TEXTS, declined_at=AT),
    st.builds(commands.StartDevelopment, reason=TEXTS, started_at=AT),
    st.builds(commands.PutInService, service_map=TEXTS, agreement=TEXTS, reason=TEXTS, live_at=AT),
    st.builds(commands.AnnounceRetirement, reason=TEXTS, announced_at=AT),
    st.builds(commands.ReinstateService, reason=TEXTS, reinstated_at=AT),
    st.builds(
        commands.RetireService,
        users=COUNTS,
        dependents=COUNTS,
        open_rfcs=COUNTS,
        agreements_in_force=st.just(()),
        reason=TEXTS,
        retired_at=AT,
    ),
)


def asked(state: Service | None, command: commands.Command) -> tuple[Service | None, int]:
    """Return the state after a command and how many events it took."""
    try:
        decided = SERVICE.decide(command, state)
    except Rejected:
        return state, 0
    return SERVICE.fold(decided, state), len(decided)


@given(st.lists(COMMANDS, max_size=15))
def test_every_command_is_refused_or_followed_and_its_repetition_adds_nothing(
    steps: list[commands.Command],
) -> None:
    state: Service | None = None
    for command in steps:
        state, _ = asked(state, command)
        repeated, added = asked(state, command)
        assert (repeated, added) == (state, 0)


@given(st.lists(COMMANDS, max_size=15))
def test_whatever_went_live_through_the_pipeline_has_owners_map_and_agreement(
    steps: list[commands.Command],
) -> None:
    state: Service | None = None
    for command in steps:
        if isinstance(command, commands.RegisterService) and command.existing:
            continue
        state, _ = asked(state, command)
        if state is not None and state.phase in LIVE:
            assert not gaps(state.owners, service_map=state.service_map, agreement=state.agreement)


@given(st.lists(COMMANDS, max_size=15))
def test_an_ended_service_never_comes_back(steps: list[commands.Command]) -> None:
    state: Service | None = None
    ended: Phase | None = None
    for command in steps:
        state, _ = asked(state, command)
        if ended is not None:
            assert state is not None
            assert state.phase is ended
        if state is not None and not transitions_from(state.phase):
            ended = state.phase
