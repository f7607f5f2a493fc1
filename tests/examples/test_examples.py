"""The examples can be read by Python, explain themselves, and do what they say."""

from __future__ import annotations

import json
import py_compile
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.architecture.house_map import ROOT
from tests.contracts.messages import golden

SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
RUN_HERE = [script for script in SCRIPTS if "faststream" not in script.name]  # it has its own requirements
CLASSIFIED = golden("plumbline.rfc.classified.v1")


class Board:
    """Intake as far as the assistant asks it: one change, and the ballots that were sent."""

    def __init__(self, risk: str | None, *, steps: tuple[str, ...] = ("decision", "votes")) -> None:
        self.risk, self.steps = risk, steps
        self.ballots: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json=self._page())
        self.ballots.append((request.headers["Idempotency-Key"], json.loads(request.content)))
        return httpx.Response(200, json={})

    def _page(self) -> dict[str, Any]:
        risk = self.risk and {"level": self.risk}
        about = {
            "number": "RFC-2026-000045",
            "title": "Replace the disks",
            "state": "assessed",
            "revision": 3,
        }
        return {**about, "risk": risk, "allowed_transitions": self.steps}


async def considered(board: Board, event: dict[str, Any]) -> None:
    consider = runpy.run_path(str(ROOT / "examples" / "cab_workflow.py"))["consider"]
    transport = httpx.MockTransport(board)
    async with httpx.AsyncClient(base_url="http://desk/intake", transport=transport) as api:
        await consider(api, "e-1", event)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_an_example_compiles(script: Path, tmp_path: Path) -> None:
    py_compile.compile(str(script), cfile=str(tmp_path / "compiled"), doraise=True)


@pytest.mark.parametrize("script", RUN_HERE, ids=lambda script: script.name)
def test_an_example_explains_itself(script: Path) -> None:
    said = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, check=True)

    assert "--token-file" in said.stdout


@pytest.mark.parametrize(
    ("risk", "vote"), [("low", "approve"), ("medium", "approve"), ("very_high", "abstain"), (None, "abstain")]
)
async def test_the_assistant_votes_once_by_the_risk_on_the_revision_it_read(
    risk: str | None, vote: str
) -> None:
    board = Board(risk)

    await considered(board, CLASSIFIED.body)

    [(key, ballot)] = board.ballots
    assert (key, ballot["vote"], ballot["revision"]) == ("e-1", vote, 3)


async def test_the_assistant_waits_until_a_change_can_be_voted_on() -> None:
    board = Board(None, steps=("assessment",))

    await considered(board, CLASSIFIED.body)

    assert not board.ballots


async def test_the_assistant_leaves_imported_history_alone() -> None:
    board = Board("low")

    await considered(board, {**CLASSIFIED.body, "historic": True})

    assert not board.ballots


def test_the_desks_tickets_each_have_an_id_of_their_own() -> None:
    lines = (ROOT / "examples" / "tickets.jsonl").read_text(encoding="utf-8").splitlines()
    tickets = [json.loads(line) for line in lines]

    assert len({ticket["id"] for ticket in tickets}) == len(tickets) > 0
