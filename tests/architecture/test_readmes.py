"""Each service's README owns, says and hears what the service does."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from shared.contracts.registry import REGISTRY, TOPICS
from tests.architecture.house_map import ROOT
from tests.architecture.test_map import SERVICES

HEADINGS = ["Owns", "Says", "Hears"]
LONGEST_README = 40
_NAMED = re.compile(r"`(plumbline\.[a-z_]+)?(\.[a-z_]+)(\.v1)?`")
_TOPIC = re.compile(r"plumbline\.[a-z]+\.[a-z]+\.v1")


def sections(service: str) -> dict[str, str]:
    """Return the README's text by heading; what stands before the first one is called `intro`."""
    text = (ROOT / "services" / service / "README.md").read_text(encoding="utf-8")
    intro, *rest = re.split(r"^## ", text, flags=re.MULTILINE)
    return {"intro": intro} | {part.partition("\n")[0]: part for part in rest}


def types_in(text: str) -> set[str]:
    """Return the event types named in a text; `.met` stands for the same aggregate as the type before it."""
    found, aggregate = set(), ""
    for start, end, _ in _NAMED.findall(text):
        aggregate = start or aggregate
        found.add(f"{aggregate}{end}.v1")
    return found


def topics_in(text: str) -> set[str]:
    return TOPICS.keys() & set(_TOPIC.findall(text))


@pytest.mark.parametrize("service", SERVICES)
def test_a_readme_has_the_same_parts_as_the_others_and_fits_on_a_page(service: str) -> None:
    parts = sections(service)

    assert [heading.split(" (")[0] for heading in parts if heading != "intro"] == HEADINGS
    assert parts["intro"].startswith(f"# {service}\n")
    assert sum(part.count("\n") for part in parts.values()) <= LONGEST_README


@pytest.mark.parametrize("service", SERVICES)
def test_a_readme_leads_to_files_that_exist(service: str) -> None:
    _, _, start = sections(service)["intro"].partition("**Start here:**")
    named = re.findall(r"`([a-z_/]+\.py)`", start)

    assert len(named) >= 3
    for name in named:
        folder = ROOT if name.startswith("tests/") else ROOT / "services" / service
        assert (folder / name).is_file(), name


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_owns_the_streams_that_its_readme_lists(service: str) -> None:
    listed = set(re.findall(r"^\| `([a-z_]+)` \|", sections(service)["Owns"], re.MULTILINE))
    folders = {path.parent.name for path in (ROOT / "services" / service).glob("domain/*/decider.py")}

    assert listed == folders


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_what_its_readme_lists(service: str) -> None:
    says = next(text for heading, text in sections(service).items() if heading.startswith("Says"))
    published = import_module(f"services.{service}.publishes").PUBLISHER

    assert topics_in(says) == set(published.topic_names())
    assert types_in(says) - topics_in(says) == {
        kind for kind, contract in REGISTRY.items() if contract.TOPIC in published.topic_names()
    }


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_hears_what_its_readme_lists(service: str) -> None:
    hears = sections(service)["Hears"]
    subscriptions = import_module(f"services.{service}.subscribes").SUBSCRIPTIONS
    followed = {topic for subscription in subscriptions for topic in subscription.topics}
    listed = topics_in(hears) | {REGISTRY[kind].TOPIC for kind in types_in(hears) & REGISTRY.keys()}

    assert listed == followed
    assert set(re.findall(r"^\| (\w+) \| ", hears, re.MULTILINE)) - {"from"} == {
        subscription.source for subscription in subscriptions
    }
