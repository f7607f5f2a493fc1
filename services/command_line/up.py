"""`plumbline up`: embedded PostgreSQL and all four services in one process, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence

from rich.console import Console

from services.command_line import greeting, opened, woodgrove
from services.command_line.access import Access
from services.command_line.installation import DEFAULT_PORT, PORT_VARIABLE, SERVICES, Installation, Running
from services.command_line.services import definitions
from shared.http.context import ServiceDefinition
from shared.http.entry import migrate_service
from shared.http.gate import Traffic
from shared.http.serve import Host, run_loop
from shared.http.service import Service
from shared.runtime import logging
from shared.runtime.metrics import Metrics
from shared.runtime.provisioning import provision
from shared.runtime.settings import ServiceSettings

_OUT = Console(stderr=False, highlight=False)
_DRAIN_SECONDS = 0.2  # nobody balances load in front of one machine's own Plumbline

Ready = Callable[[Running, str], Awaitable[None]]


def up(environment: Mapping[str, str], *, sample: bool = True) -> None:
    """Start everything, load the Woodgrove Bank sample once, and serve until SIGINT or SIGTERM."""
    installation = Installation.of(environment)
    installation.create()
    port = int(environment.get(PORT_VARIABLE) or DEFAULT_PORT)
    server = installation.start_postgres(environment)
    try:
        run_loop(lambda: _run(installation, server.url(), server.password, port, sample=sample))
    finally:
        server.stop()


async def _run(
    installation: Installation, admin_url: str, password: Callable[[str], str], port: int, *, sample: bool
) -> None:
    databases = await provision(admin_url, SERVICES, password)
    opened.remember(installation, databases)
    settings = {
        name: installation.settings(name, databases[name], port=port, management_port=port + 1)
        for name in SERVICES
    }
    first = settings["intake"]
    logging.configure(service="plumbline", level="warning", style=first.log_format)
    found = definitions()
    for name, definition in found.items():
        await migrate_service(definition, settings[name])
    services = _services(found, settings)
    transport = "Kafka" if first.kafka_bootstrap_servers else "each other's feed (no Kafka is set)"
    root = greeting.greeting(installation.token_path, transport)
    host = Host(services, first, root=root, drain_seconds=_DRAIN_SECONDS)
    loading: list[asyncio.Task[None]] = []

    def started() -> None:
        running = Running(
            url=f"http://127.0.0.1:{host.port}",
            management_url=f"http://127.0.0.1:{host.management_port}",
            pid=os.getpid(),
        )
        installation.note_running(running)
        token, fresh = installation.first_token()
        _welcome(running, installation, token if fresh else "")
        if sample:
            loading.append(asyncio.create_task(_load(running, token), name="sample"))

    await host.run(started)


def _services(
    found: Mapping[str, ServiceDefinition], settings: Mapping[str, ServiceSettings]
) -> Sequence[Service]:
    metrics, traffic = Metrics("plumbline"), Traffic()
    return [
        Service(definition, settings[name], metrics=metrics.of(name), traffic=traffic)
        for name, definition in found.items()
    ]


async def _load(running: Running, token: str) -> None:
    try:
        async with Access.at(running.url, token) as access:
            loaded = await woodgrove.load(access)
    except Exception as error:  # noqa: BLE001  the sample is a courtesy: its failure must not end the services
        _OUT.print(f"[yellow]The sample could not be loaded:[/] {error}")
    else:
        if loaded:
            _OUT.print(f"Loaded the Woodgrove Bank sample: {loaded}.")


def _welcome(running: Running, installation: Installation, token: str) -> None:
    _OUT.print(f"\n[bold]Plumbline is running[/] at {running.url}  (Ctrl-C stops it)")
    for name in SERVICES:
        _OUT.print(f"  {name:8} {running.url}/{name}/docs")
    if token:
        _OUT.print(f"\nYour token, shown this once (kept in {installation.token_path}, mode 0600):")
        _OUT.out(token)
    _OUT.print("\nNext: [bold]plumbline demo[/] plays one request's journey; [bold]plumbline --help[/]\n")
