"""Woodgrove Bank's sample entry: all sixteen rows, as the guide's appendix has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from services.catalog.domain.facts import service_id_of
from tests.support.running import RunningService

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "woodgrove"
CATALOG = json.loads((FOLDER / "catalog.json").read_text(encoding="utf-8"))
PEOPLE = json.loads((FOLDER / "people.json").read_text(encoding="utf-8"))
VISTA = f"/v1/services/{service_id_of('Windows Vista Desktop Service')}"

TITLES = [
    "Description of service",
    "Business alignment",
    "Business owner",
    "Service qualification",
    "Service manager",
    "Service initiation contact",
    "External dependencies",
    "Service elements",
    "Services included",
    "Optional services",
    "Service users",
    "Service priority",
    "Service lifecycle",
    "Service pricing/levels",
    "Service hours",
    "How to get end-user assistance for this service",
]


async def load(catalog: RunningService) -> None:
    for post in CATALOG["posts"]:
        await catalog.post(post["path"], post["body"])


def lines(entry: dict[str, Any], title: str) -> list[str]:
    (row,) = [row for row in entry["rows"] if row["title"] == title]
    return [line for listing in row["listings"] for line in listing["lines"]]


async def test_the_entry_has_the_sixteen_rows_of_the_appendix_and_states_all_of_them(
    catalog: RunningService,
) -> None:
    await load(catalog)
    entry = await catalog.get(VISTA)
    assert [row["title"] for row in entry["rows"]] == TITLES
    assert entry["unstated"] == []
    assert lines(entry, "Business owner") == ["Chief Operating Officer"]
    assert lines(entry, "Service manager") == ["Neil Orint"]
    assert len(lines(entry, "External dependencies")) == 3
    assert len(lines(entry, "Service elements")) == 11
    assert len(lines(entry, "Services included")) == 11
    assert lines(entry, "Service priority")[0] == "Mission-critical"
    assert all(line.endswith("24 hours a day, 7 days a week") for line in lines(entry, "Service hours"))


async def test_what_the_appendices_say_differently_stands_under_both_names(catalog: RunningService) -> None:
    await load(catalog)
    vista = await catalog.get(VISTA)
    agreed = await catalog.get(f"/v1/services/{service_id_of('Desktop Computing Service')}")
    assert "no chargeback" in lines(vista, "Service pricing/levels")[0]
    assert "$700" in lines(agreed, "Service pricing/levels")[0]
    assert "Enterprise" in lines(vista, "Service lifecycle")[0]
    assert "Business" in lines(agreed, "Service lifecycle")[0]


async def test_a_service_in_use_already_shows_what_it_still_lacks(catalog: RunningService) -> None:
    await load(catalog)
    gaps = {each["name"]: each["gaps"] for each in (await catalog.get("/v1/services"))["items"]}
    assert gaps == {
        "Desktop Computing Service": [
            "no_service_owner",
            "no_business_owner",
            "no_service_map",
            "no_agreement",
        ],
        "Windows Vista Desktop Service": ["no_service_map", "no_agreement"],
    }


def test_the_owners_are_the_people_of_the_sample() -> None:
    owner = CATALOG["posts"][0]["body"]["service_owner"]
    assert owner in [{"name": each["name"], "person_id": each["person_id"]} for each in PEOPLE["people"]]
    business_owner = CATALOG["posts"][0]["body"]["business_owner"]["name"]
    assert business_owner in [each["name"] for each in PEOPLE["parties"]]
