"""Making and changing frozen dataclasses the quick way gives what the slow way gives."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, replace

import pytest

from shared.eventsourcing.decider import changed, made


@dataclass(frozen=True, kw_only=True)
class Parcel:
    label: str
    grams: int = 0


def test_what_is_made_equals_what_its_class_makes_and_is_as_frozen() -> None:
    parcel = made(Parcel, {"label": "tea", "grams": 5})
    assert parcel == Parcel(label="tea", grams=5)
    with pytest.raises(FrozenInstanceError):
        parcel.grams = 6  # type: ignore[misc]


def test_what_is_made_shares_nothing_with_the_facts_it_was_made_of() -> None:
    facts = {"label": "tea", "grams": 5}
    parcel = made(Parcel, facts)
    facts["grams"] = 6
    assert parcel.grams == 5


@pytest.mark.parametrize("facts", [{"label": "tea"}, {"label": "tea", "grams": 5, "colour": "red"}])
def test_a_field_too_few_or_too_many_is_refused_by_name(facts: dict[str, object]) -> None:
    with pytest.raises(TypeError, match=r"colour|grams"):
        made(Parcel, facts)


def test_a_change_leaves_the_original_as_it_was() -> None:
    parcel = Parcel(label="tea", grams=5)
    assert changed(parcel, grams=6) == replace(parcel, grams=6)
    assert parcel.grams == 5
    with pytest.raises(TypeError, match="colour"):
        changed(parcel, colour="red")
