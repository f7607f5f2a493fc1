"""The registry: one name, one contract; one topic, one owner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import intake
from shared.contracts.envelope import Contract, ForeignMessage
from shared.contracts.registry import (
    REGISTRY,
    TOPICS,
    UnknownType,
    check_origin,
    contracts_of,
    decode,
    registry_of,
)
from tests.contracts.messages import golden

BREACHED = golden("plumbline.sla.breached.v1")


def contract(kind: str, topic: str = "plumbline.intake.requests.v1", version: int = 1) -> type[Contract]:
    return type("Invented", (Contract,), {"TYPE": kind, "TOPIC": topic, "VERSION": version})


def test_the_four_events_that_the_world_waits_for_are_published() -> None:
    assert REGISTRY.keys() >= {
        "plumbline.request.submitted.v1",
        "plumbline.rfc.classified.v1",
        "plumbline.project.approved.v1",
        "plumbline.sla.breached.v1",
    }


def test_topics_have_six_partitions_and_the_service_in_their_name_as_owner() -> None:
    assert {name: (topic.source, topic.partitions) for name, topic in TOPICS.items()} == {
        "plumbline.intake.requests.v1": ("/intake", 6),
        "plumbline.intake.rfcs.v1": ("/intake", 6),
        "plumbline.demand.projects.v1": ("/demand", 6),
        "plumbline.catalog.services.v1": ("/catalog", 6),
        "plumbline.sla.clocks.v1": ("/sla", 6),
        "plumbline.sla.agreements.v1": ("/sla", 6),
    }
    assert sum(len(topic.contracts) for topic in TOPICS.values()) == len(REGISTRY)


def test_a_file_publishes_what_it_defines_and_not_what_it_builds_on() -> None:
    published = contracts_of(intake)

    assert intake.RfcClassified in published
    assert intake.RfcFact not in published


def test_a_second_version_of_an_event_stands_beside_the_first() -> None:
    first = contract("plumbline.request.weighed.v1")
    second = contract("plumbline.request.weighed.v2", version=2)

    assert list(registry_of([first, second])) == [first.TYPE, second.TYPE]


def test_one_type_cannot_mean_two_contracts() -> None:
    twice = contract("plumbline.request.weighed.v1")

    with pytest.raises(ValueError, match="is both"):
        registry_of([twice, contract(twice.TYPE)])


@pytest.mark.parametrize(
    "kind", ["request.weighed.v1", "plumbline.request.v1", "plumbline.Request.weighed.v1", "plumbline.a.b.v2"]
)
def test_a_misnamed_type_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=r"is not plumbline\.<aggregate>"):
        registry_of([contract(kind)])


@pytest.mark.parametrize(
    "topic",
    ["plumbline.intake.request.v1", "plumbline.desk.requests.v1", "plumbline.intake.req_s.v1", "requests"],
)
def test_a_misnamed_topic_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match=r"is not plumbline\.<service>"):
        registry_of([contract("plumbline.request.weighed.v1", topic)])


def test_a_type_of_a_newer_release_is_told_from_a_wrong_body() -> None:
    with pytest.raises(UnknownType):
        decode("plumbline.request.weighed.v1", b"{}")
    with pytest.raises(ForeignMessage, match=r"body is no .*due_at: missing"):
        decode("plumbline.sla.breached.v1", b'{"occurred_at": "2026-03-02T09:15:00Z"}')


@pytest.mark.parametrize("raw", [b"", b"\xff", b"null", b"[]", b'{"occurred_at": "secret of Anna Vos"}'])
def test_a_refused_body_is_not_quoted_since_errors_are_logged(raw: bytes) -> None:
    with pytest.raises(ForeignMessage) as refused:
        decode("plumbline.sla.breached.v1", raw)

    assert refused.value.part == "body"
    assert "Anna" not in str(refused.value)


@given(st.binary(max_size=60))
def test_no_body_is_worse_than_a_foreign_message(raw: bytes) -> None:
    with pytest.raises(ForeignMessage):
        decode("plumbline.sla.breached.v1", raw)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"topic": "plumbline.sla.secrets.v1"}, "topic"),
        ({"source": "/intake"}, "ce_source"),
        ({"topic": "plumbline.sla.agreements.v1"}, "ce_type"),
    ],
)
def test_an_event_on_somebody_elses_topic_is_foreign(change: dict[str, str], part: str) -> None:
    with pytest.raises(ForeignMessage) as refused:
        check_origin(BREACHED.envelope._replace(**change))

    assert refused.value.part == part


def test_an_event_type_unknown_to_this_release_may_stand_on_its_owners_topic() -> None:
    check_origin(BREACHED.envelope._replace(type="plumbline.clock.wound.v1"))
