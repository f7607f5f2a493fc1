"""People are known by ids that depend on nothing but what they are called."""

from __future__ import annotations

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.people import person_id

PEOPLE = UUID("6f2b8f0a-54a6-5a0b-8a52-0f0f7f3f8d21")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_person_has_the_version_5_id_of_their_name_whatever_its_case_and_blanks(name: str) -> None:
    assert person_id(f" {name} ") == uuid5(PEOPLE, name.strip().casefold())


def test_the_same_id_at_two_sources_is_two_people() -> None:
    assert len({person_id("servicenow", "7"), person_id("remedy", "7"), person_id("7")}) == 3
