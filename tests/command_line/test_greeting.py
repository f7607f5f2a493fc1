"""The root page greets, and whatever else is asked for there is answered with a problem."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from services.command_line.greeting import greeting


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    root = greeting(Path("/somewhere/token"), "each other's feed")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=root), base_url="http://plumbline.test"
    ) as client:
        yield client


async def test_it_links_to_the_four_apis_and_says_where_the_token_is(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/")).text
    for service in ("intake", "demand", "catalog", "sla"):
        assert f'href="/{service}/docs"' in page
    assert "/somewhere/token" in page


async def test_an_unknown_address_is_a_problem(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not-found"
    assert answer.json()["instance"] == "/nowhere"


async def test_a_method_that_it_does_not_take_is_a_problem_that_names_those_it_takes(
    browser: httpx.AsyncClient,
) -> None:
    answer = await browser.post("/")
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert "GET" in answer.headers["allow"]
