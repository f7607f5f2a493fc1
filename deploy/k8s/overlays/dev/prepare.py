"""Makes the secrets and databases of a trial deployment; a real one gets both from its operators."""
# ruff: noqa: INP001  a script of the compose file and of this overlay, in no package

from __future__ import annotations

import asyncio
import base64
import hmac
import os
import secrets
import sys
from datetime import timedelta
from pathlib import Path

import httpx
import structlog

from shared.http.issuer import Issuer
from shared.runtime import logging
from shared.runtime.clock import SystemClock
from shared.runtime.database import Database
from shared.runtime.provisioning import provision, urls_of

SERVICES = ("intake", "demand", "catalog", "sla")
ROOT = "trial-root"
TOKEN_LIFE = timedelta(days=365)
SERVER = os.environ.get("PLUMBLINE_LOCAL_POSTGRESQL", "postgresql:5432")
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
USAGE = """usage: prepare.py files ROOT FOLDER   write every secret to FOLDER/<name>/<key>
       prepare.py databases ROOT     create the databases and roles of all services
       prepare.py cluster            both, with Secrets in this pod's namespace instead of files

ROOT holds what everything else is derived from (`seed`, `issuer.json`) and is shown to no service."""
_LOG = structlog.get_logger("prepare")


class Trial:
    """Everything secret about a trial deployment, the same at every run over the same root."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self._seed_file = root / "seed"
        if not self._seed_file.exists():
            descriptor = os.open(self._seed_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(32))
        self._root = root

    def password(self, role: str) -> str:
        """Return the password of a database role; PostgreSQL's superuser is one of them."""
        seed = self._seed_file.read_text().strip().encode()
        return base64.urlsafe_b64encode(hmac.digest(seed, role.encode(), "sha256")).decode().rstrip("=")

    def admin_url(self) -> str:
        """Return where the superuser connects."""
        return f"postgresql://postgres:{self.password('postgres')}@{SERVER}/postgres"

    def secrets(self) -> dict[str, dict[str, str]]:
        """Return every secret by name and key: what the manifests mount as files."""
        issuer = Issuer.open(self._root / "issuer.json", clock=SystemClock())
        found = {
            "postgresql": {"password": self.password("postgres")},
            "administrator": {"token": issuer.mint("administrator", ["administrator"], TOKEN_LIFE)},
        }
        for name in SERVICES:
            urls = urls_of(self.admin_url(), name, name, self.password)
            found[f"{name}-secrets"] = {
                "database-url": urls.url,
                "keys-database-url": urls.keys_url,
                "service-token": issuer.mint(f"service:{name}", ["event_consumer"], TOKEN_LIFE),
                "jwks.json": issuer.jwks(),
            }
            found[f"{name}-migration-secrets"] = {
                "database-url": urls.owner_url,
                "keys-database-url": urls.keys_owner_url,
            }
        return found

    def root(self) -> dict[str, str]:
        """Return what a later run needs to derive the same."""
        return {name: (self._root / name).read_text() for name in ("seed", "issuer.json")}


def write_files(trial: Trial, folder: Path) -> None:
    """Write each secret into a folder of its own, which is mounted into the containers that need it."""
    for name, keys in trial.secrets().items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for key, text in keys.items():
            path = folder / name / key
            path.unlink(missing_ok=True)
            path.write_text(text)
            path.chmod(0o444)  # by any user: who sees it is decided by who mounts the volume
        _LOG.info("written", name=name, keys=len(keys))


def in_cluster(working: Path) -> None:
    """Create the Secrets that are missing, by the Kubernetes API as this pod's service account.

    Those of the services come last, when their databases are there: a pod starts once it can mount them.
    """
    token, namespace = (ACCOUNT / "token").read_text(), (ACCOUNT / "namespace").read_text()
    with httpx.Client(
        base_url=f"https://kubernetes.default.svc/api/v1/namespaces/{namespace}",
        headers={"Authorization": f"Bearer {token}"},
        verify=str(ACCOUNT / "ca.crt"),
        trust_env=False,
    ) as cluster:
        kept = cluster.get(f"/secrets/{ROOT}")
        if kept.is_success:
            working.mkdir(parents=True, exist_ok=True)
            for name, encoded in kept.json()["data"].items():
                (working / name).write_bytes(base64.b64decode(encoded))
                (working / name).chmod(0o600)
        trial = Trial(working)
        wanted = trial.secrets()
        if not kept.is_success:
            create(cluster, ROOT, trial.root()).raise_for_status()
        create(cluster, "postgresql", wanted.pop("postgresql"))
        asyncio.run(create_databases(trial))
        for name, keys in wanted.items():
            create(cluster, name, keys)


def create(cluster: httpx.Client, name: str, keys: dict[str, str]) -> httpx.Response:
    """Create a Secret; one of that name is left as it is."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "plumbline"}},
        "stringData": keys,
    }
    answer = cluster.post("/secrets", json=manifest)
    if answer.status_code != httpx.codes.CONFLICT:
        answer.raise_for_status()
    _LOG.info("asked for", name=name, status=answer.status_code)
    return answer


async def create_databases(trial: Trial) -> None:
    """Wait for the server, then create what each service owns; what exists is left as it is."""
    await (await Database.open(trial.admin_url(), application_name="prepare", wait_seconds=300)).close()
    await provision(trial.admin_url(), SERVICES, trial.password)
    _LOG.info("databases and roles are there", services=SERVICES)


def main(arguments: list[str]) -> None:
    logging.configure(service="prepare")
    match arguments:
        case ["files", root, folder]:
            write_files(Trial(Path(root)), Path(folder))
        case ["cluster"]:
            in_cluster(Path("/tmp/root"))  # noqa: S108  the pod's own empty volume
        case ["databases", root]:
            asyncio.run(create_databases(Trial(Path(root))))
        case _:
            raise SystemExit(USAGE)


if __name__ == "__main__":
    main(sys.argv[1:])
