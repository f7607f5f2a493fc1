"""One machine's own Plumbline: where its data, keys, ports and tokens are kept."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from shared.http.issuer import Issuer
from shared.runtime.clock import SystemClock
from shared.runtime.embedded_postgres import EmbeddedPostgres
from shared.runtime.provisioning import ServiceDatabases
from shared.runtime.settings import ServiceSettings

SERVICES = ("intake", "demand", "catalog", "sla")
FOLDER_VARIABLE = "PLUMBLINE_LOCAL_FOLDER"
PORT_VARIABLE = "PLUMBLINE_LOCAL_PORT"
DEFAULT_PORT = 8080
_TOKEN_DAYS = 365
_POOL = 6  # connections per database and service: eight databases share one embedded server


class NotRunning(Exception):
    """No Plumbline runs from this folder; the message says how to start one."""


@dataclass(frozen=True, slots=True)
class Running:
    """Where a started Plumbline answers."""

    url: str
    management_url: str
    pid: int


class Installation:
    """A folder (0700) with `postgres/`, `issuer.json` (the private key), `token`, `running.json`.

    The folder is `.plumbline` below the working directory unless PLUMBLINE_LOCAL_FOLDER names another.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Installation:
        """Return the installation that the environment names; nothing is created yet."""
        return cls(Path(environment.get(FOLDER_VARIABLE) or ".plumbline").absolute())

    def create(self) -> None:
        """Make the folder; others may pass through it, because PostgreSQL may run as another user."""
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def token_path(self) -> Path:
        """The file (0600) with the first administrator's token."""
        return self.folder / "token"

    def issuer(self) -> Issuer:
        """Return the local token issuer, making its key on first use."""
        return Issuer.open(self.folder / "issuer.json", clock=SystemClock())

    def first_token(self) -> tuple[str, bool]:
        """Return the administrator's token and whether it was made just now, to be shown once."""
        if self.token_path.exists():
            return self.token_path.read_text(encoding="utf-8").strip(), False
        token = self.issuer().mint("administrator", ["administrator"], timedelta(days=_TOKEN_DAYS))
        with os.fdopen(os.open(self.token_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token + "\n")
        return token, True

    def start_postgres(self, environment: Mapping[str, str]) -> EmbeddedPostgres:
        """Start the embedded server, or adopt the one that a killed launcher left running."""
        return EmbeddedPostgres.start(self.folder / "postgres", environment)

    def settings(
        self, service: str, databases: ServiceDatabases, *, port: int, management_port: int
    ) -> ServiceSettings:
        """Return a service's settings; KAFKA_BOOTSTRAP_SERVERS and the log's settings come from outside."""
        issuer = self.issuer()
        address = f"http://127.0.0.1:{port}"
        token = issuer.mint(f"service:{service}", ["event_consumer"], timedelta(days=_TOKEN_DAYS))
        return ServiceSettings(
            database_url=SecretStr(databases.url),
            keys_database_url=SecretStr(databases.keys_url),
            migration_database_url=SecretStr(databases.owner_url),
            keys_migration_database_url=SecretStr(databases.keys_owner_url),
            sources={other: f"{address}/{other}" for other in SERVICES if other != service},
            host="127.0.0.1",
            port=port,
            management_port=management_port,
            jwks=issuer.jwks(),
            service_token=SecretStr(token),
            pool_max_size=_POOL,
        )

    def note_running(self, running: Running) -> None:
        """Remember where this process answers, for the other commands."""
        (self.folder / "running.json").write_text(
            json.dumps({"url": running.url, "management_url": running.management_url, "pid": running.pid}),
            encoding="utf-8",
        )

    def is_running(self) -> bool:
        """Tell whether Plumbline runs from this folder now."""
        try:
            self.running()
        except NotRunning:
            return False
        return True

    def running(self) -> Running:
        """Return where Plumbline answers; raises `NotRunning` when the process has gone."""
        try:
            found = Running(**json.loads((self.folder / "running.json").read_text(encoding="utf-8")))
            os.kill(found.pid, 0)
        except (OSError, ValueError, TypeError):
            raise NotRunning(f"no Plumbline runs from {self.folder}: start it with `make up`") from None
        return found
