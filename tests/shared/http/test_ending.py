"""A process that is told to end drains first; told twice, it ends at once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from shared.http.issuer import Issuer
from shared.runtime.provisioning import ServiceDatabases
from tests.support.parcels import migrate

PROGRAM = """
import json, sys
from shared.http.serve import run
from shared.runtime.settings import ServiceSettings
from tests.shared.http.test_service import PARCELS
run(PARCELS, ServiceSettings(**json.loads(sys.argv[1])), sys.argv[2], drain_seconds=1)
"""
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
async def databases(fresh_databases) -> ServiceDatabases:
    return await fresh_databases("parcels", migrate)


@contextmanager
def process(
    databases: ServiceDatabases, issuer: Issuer, role: str
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    settings = {
        "database_url": databases.url,
        "keys_database_url": databases.keys_url,
        "jwks": issuer.jwks(),
        "host": "127.0.0.1",
        "port": 0,
        "management_port": 0,
        "log_format": "json",
    }
    arguments = [sys.executable, "-c", PROGRAM, json.dumps(settings), role]
    started = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield started, ports_of(started, role)
    finally:
        started.kill()
        started.wait()
        assert started.stdout is not None
        started.stdout.close()


def ports_of(started: subprocess.Popen[str], role: str) -> int:
    """Read the log until the process serves; return the API's port, or 0 for a worker."""
    assert started.stdout is not None
    for line in started.stdout:
        told = json.loads(line)
        if told["event"] == "listening" or (role == "worker" and told["event"] == "service started"):
            return int(told.get("port", 0))
    raise AssertionError("the process ended before it served")


def test_an_api_drains_before_it_ends(databases: ServiceDatabases, issuer: Issuer) -> None:
    with process(databases, issuer, "api") as (started, port), httpx.Client() as client:
        address = f"http://127.0.0.1:{port}/parcels/docs"
        assert "connection" not in client.get(address).headers
        started.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 4
        while "connection" not in (answer := client.get(address)).headers:
            assert time.monotonic() < deadline
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert started.wait(20) == 0


def test_a_second_signal_ends_at_once(databases: ServiceDatabases, issuer: Issuer) -> None:
    with process(databases, issuer, "api") as (started, _):
        started.send_signal(signal.SIGTERM)
        assert started.stdout is not None
        assert any('"ending"' in line for line in started.stdout)
        started.send_signal(signal.SIGTERM)
        assert started.wait(3) == 1


def test_a_worker_ends_without_draining(databases: ServiceDatabases, issuer: Issuer) -> None:
    with process(databases, issuer, "worker") as (started, _):
        started.send_signal(signal.SIGTERM)
        assert started.wait(4) == 0
