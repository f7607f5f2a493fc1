"""The cluster that `make up` starts where no database was given."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from shared.runtime.embedded_postgres import EmbeddedPostgres
from shared.runtime.postgres_binaries import BIN_VARIABLE, NoPostgres, find_binaries
from shared.runtime.provisioning import provision
from tests.support.real import ServerKind, server_kinds, temporary_server

OWN_KINDS = [kind for kind in server_kinds() if kind.binaries]


@pytest.fixture(scope="module", params=OWN_KINDS, ids=lambda kind: kind.name)
def server(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    kind: ServerKind = request.param
    with temporary_server(kind.binaries, settings={}) as server:
        yield server


async def test_it_answers_on_loopback_with_a_password_only(server: EmbeddedPostgres) -> None:
    conn = await asyncpg.connect(server.url())
    assert await conn.fetchval("SHOW listen_addresses") == "127.0.0.1"
    assert int(await conn.fetchval("SHOW max_connections")) >= 150
    await conn.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.url().replace(server.password("plumbline"), "guess"))


def test_ctrl_c_in_the_terminal_does_not_reach_it(server: EmbeddedPostgres) -> None:
    assert os.getsid(server.pid) == server.pid != os.getsid(0)


async def test_letters_beyond_ascii_have_a_lower_case(server: EmbeddedPostgres) -> None:
    conn = await asyncpg.connect(server.url())
    assert await conn.fetchval("SELECT lower('ÅRSÄRENDE')") == "årsärende"
    await conn.close()


def test_the_secret_is_readable_by_its_owner_only(server: EmbeddedPostgres) -> None:
    assert stat.S_IMODE((server.folder / "secret").stat().st_mode) == 0o600
    assert not (server.folder / "initial-password").exists()


async def test_each_service_gets_two_databases_that_no_other_service_can_open(
    server: EmbeddedPostgres,
) -> None:
    first = await provision(server.url(), ("intake", "sla"), server.password)
    again = await provision(server.url(), ("intake", "sla"), server.password)
    assert first == again
    intake, sla = first["intake"], first["sla"]
    for url, name in ((intake.url, "intake"), (intake.keys_url, "intake_keys")):
        conn = await asyncpg.connect(url)
        assert await conn.fetchval("SELECT current_database()") == name
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("CREATE TABLE public.mine (id int)")
        await conn.close()
    owner = await asyncpg.connect(intake.keys_owner_url)
    await owner.execute("CREATE SCHEMA log CREATE TABLE key (id int)")
    await owner.close()
    stranger = sla.url.removesuffix("/sla") + "/intake"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(stranger)


def test_a_second_start_is_quick_and_keeps_port_and_data(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    first = EmbeddedPostgres.start(tmp_path, os.environ)
    first.stop()
    began = time.monotonic()
    second = EmbeddedPostgres.start(tmp_path, os.environ)
    took = time.monotonic() - began
    second.stop()
    assert (second.port, second.url()) == (first.port, first.url())
    assert took < 1


def test_one_folder_serves_one_launcher(server: EmbeddedPostgres) -> None:
    with pytest.raises(NoPostgres, match="another process"):
        EmbeddedPostgres.start(server.folder, os.environ)


def test_a_server_left_behind_by_a_killed_launcher_is_adopted(tmp_path: Path) -> None:
    launcher = (
        "import os, pathlib, signal, sys;"
        "from shared.runtime.embedded_postgres import EmbeddedPostgres;"
        "server = EmbeddedPostgres.start(pathlib.Path(sys.argv[1]), os.environ);"
        "print(server.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", launcher, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    adopted = EmbeddedPostgres.start(tmp_path, os.environ)
    assert adopted.pid == int(killed.stdout)
    adopted.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(adopted.pid, 0)


def test_a_stale_pid_file_of_a_crash_does_not_stop_the_next_start(tmp_path: Path) -> None:
    first = EmbeddedPostgres.start(tmp_path, os.environ)
    left = (tmp_path / "data" / "postmaster.pid").read_text()
    first.stop()
    somebody_else = left.replace(str(first.pid), str(os.getppid()), 1)
    (tmp_path / "data" / "postmaster.pid").write_text(somebody_else)
    second = EmbeddedPostgres.start(tmp_path, os.environ)
    second.stop()


def test_a_folder_without_postgres_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(NoPostgres, match="embedded-postgres"):
        find_binaries({BIN_VARIABLE: str(tmp_path)})


def test_an_existing_cluster_asks_for_its_own_major_version() -> None:
    with pytest.raises(NoPostgres, match="PostgreSQL 9 not found"):
        find_binaries(os.environ, major=9)
