"""A real Apache Kafka for tests: given, installed, from Maven or Docker; else a loud skip."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import pytest

from tests.support.kafka_rungs import (
    GIVEN_VARIABLE,
    HOME_VARIABLE,
    IMAGE,
    OLDEST_JAVA,
    found,
    installed,
    ran,
)
from tests.support.processes import free_port

REQUIRE_VARIABLE = "PLUMBLINE_TEST_REQUIRE_KAFKA"
JARS = f"install Java >= {OLDEST_JAVA} and set {HOME_VARIABLE} or install Maven"
ANY = f"set {GIVEN_VARIABLE}, or {JARS}, or Docker"
START_SECONDS = 60.0
ASK_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 0, -1)  # length, ApiVersions, its version, a number, nobody
CLUSTER = "cGx1bWJsaW5lLXRlc3RzLg"

# What a broker of three says otherwise.
CLUSTERED = """
node.id={node}
controller.quorum.voters={voters}
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
share.coordinator.state.topic.replication.factor=3
"""

# One replica of everything, and a group is complete as soon as its first member is there.
PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://{bind}:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""


@dataclass
class Broker:
    """One broker that fault tests may freeze, kill and start again; its log survives all of that.

    `bootstrap_servers` is what clients use. A `given` broker is somebody else's: it can only be used.
    """

    bootstrap_servers: str
    command: Callable[[str], list[str]] | None = None  # a Java main class to the command that runs it
    folder: Path | None = None
    more_ports: Sequence[int] = ()  # a broker opens its listeners one after the other, in any order
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def of_jars(
        cls,
        libraries: Path,
        *,
        advertised: int | None = None,
        ports: tuple[int, int] | None = None,
        more_ports: Sequence[int] = (),
        megabytes: int = 512,
        more: str = "",
        formatted: Sequence[str] = (),
    ) -> Broker:
        """Prepare a broker in a folder of its own. `advertised` is the port of a proxy in front of it.

        `ports` are those of broker and controller, `more_ports` those of listeners that `more` adds; a line
        of `more` wins over the property of the same name above; `formatted` goes to the tool that makes the
        log's folder.
        """
        folder = Path(tempfile.mkdtemp(prefix="plumbline-test-kafka-"))
        port, controller = ports or (free_port(), free_port())
        settings = folder / "server.properties"
        settings.write_text(
            _properties(port, controller, advertised=advertised) + f"log.dirs={folder}/log\n{more}"
        )
        # No second compiler tier and no parallel collector: half the start-up time, 300 MB.
        java = [
            "java",
            f"-Xmx{megabytes}m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            f"{libraries}/*",
        ]
        broker = cls(f"127.0.0.1:{port}", lambda main: [*java, main], folder, more_ports)
        subprocess.run(
            [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(settings), *formatted],
            check=True,
            capture_output=True,
        )
        return broker

    @classmethod
    def three_of_jars(cls, libraries: Path) -> list[Broker]:
        """Prepare a cluster of three, each a controller too. None of them answers before two have started."""
        ports = {node: (free_port(), free_port()) for node in (1, 2, 3)}
        voters = ",".join(f"{node}@127.0.0.1:{controller}" for node, (_, controller) in ports.items())
        return [
            cls.of_jars(
                libraries, ports=found, megabytes=256, more=CLUSTERED.format(node=node, voters=voters)
            )
            for node, found in ports.items()
        ]

    def start(self) -> Broker:
        """Start and wait until it answers, and until its other listeners are open."""
        assert self.command is not None, "a given broker is started by whoever gave it"
        assert self.folder is not None
        with (self.folder / "broker.out").open("ab") as output:
            self._process = subprocess.Popen(
                [*self.command("kafka.Kafka"), str(self.folder / "server.properties")],
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        host, _, port = self.bootstrap_servers.rpartition(":")
        _wait_for(_answers, host, int(port), self._process)
        for more in self.more_ports:
            _wait_for(_opens, host, more, self._process)
        return self

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Let it hang with its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill it and start it on the same log."""
        self.kill()
        self.start()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def discard(self) -> None:
        """End it and forget its log."""
        if self.running:
            self.kill()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(how)
        self._process.wait(30)


def pytest_report_header() -> str:
    """Say which Kafka the tests run on, and from what those that kill one start their own."""
    here = found()
    if not here.name:
        return f"kafka: none found, so tests that need it are skipped; {ANY}"
    if here.libraries is not None:
        return f"kafka: {here.name}"
    own = installed().name or f"none, so tests that start one are skipped; {JARS}"
    return f"kafka: {here.name}; brokers of our own: {own}"


@pytest.fixture(scope="session")
def kafka_libraries() -> Path:
    """The jars of a broker, for tests that start, cut and kill one of their own."""
    libraries = installed().libraries
    if libraries is None:
        _refuse(f"no Kafka jars on this machine: {JARS}")
    return libraries


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """One running broker per worker process. Tests use topic names of their own."""
    how = found()
    if how.given:
        yield Broker(how.given)
    elif how.libraries is not None:
        broker = Broker.of_jars(how.libraries)
        try:
            yield broker.start()
        finally:
            broker.discard()
    elif how.name:
        yield from _in_docker()
    else:
        _refuse(f"no Kafka on this machine: {ANY}")


def _refuse(message: str) -> NoReturn:
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        pytest.fail(message)
    pytest.skip(message)


def _properties(port: int, controller: int, *, advertised: int | None = None, bind: str = "127.0.0.1") -> str:
    return PROPERTIES.format(port=port, controller=controller, advertised=advertised or port, bind=bind)


def _in_docker() -> Iterator[Broker]:
    port, name = free_port(), f"plumbline-test-kafka-{uuid4().hex[:8]}"
    # The same port inside, so that what is advertised is true there too.
    told = [f"--env={variable}" for variable in as_variables(_properties(port, free_port(), bind="0.0.0.0"))]
    published = f"--publish=127.0.0.1:{port}:{port}"
    if ran("docker", "run", "--detach", "--rm", f"--name={name}", published, *told, IMAGE) is None:
        _refuse("Docker does not start a broker")
    try:
        _wait_for(_answers, "127.0.0.1", port, None)
        yield Broker(f"127.0.0.1:{port}")
    finally:
        ran("docker", "rm", "--force", name)


def as_variables(properties: str) -> list[str]:
    """Write properties as the variables that the image `apache/kafka` reads them from."""
    lines = [line.partition("=") for line in properties.split()]
    return [f"KAFKA_{name.replace('.', '_').upper()}={value}" for name, _, value in lines]


def _wait_for(
    there: Callable[[str, int], bool], host: str, port: int, process: subprocess.Popen[bytes] | None
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"the broker ended with {process.returncode}")
        with suppress(OSError):
            if there(host, port):
                return
        time.sleep(0.05)
    raise TimeoutError(f"no broker at {host}:{port}")


def _answers(host: str, port: int) -> bool:
    """Tell whether a broker answers; that a port is open says nothing, for Docker opens it beforehand."""
    with socket.create_connection((host, port), 1) as connection:
        connection.sendall(ASK_VERSIONS)
        return bool(connection.recv(4))


def _opens(host: str, port: int) -> bool:
    socket.create_connection((host, port), 1).close()
    return True
