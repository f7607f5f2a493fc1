"""A real Apache Kafka for tests: given, installed, from Maven or Docker; else a loud skip."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import pytest

GIVEN_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
HOME_VARIABLE = "KAFKA_HOME"
REQUIRE_VARIABLE = "PLUMBLINE_TEST_REQUIRE_KAFKA"
POM = Path(__file__).parents[2] / "deploy" / "kafka-test" / "pom.xml"
CACHE = Path(__file__).parents[2] / ".plumbline" / "kafka-test"
REMEDY = f"set {GIVEN_VARIABLE} or {HOME_VARIABLE}, or install Java >= 17 and Maven, or Docker"
IMAGE = "apache/kafka:4.1.0"
START_SECONDS = 60.0
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
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/log
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
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def of_jars(
        cls,
        libraries: Path,
        *,
        advertised: int | None = None,
        ports: tuple[int, int] | None = None,
        megabytes: int = 512,
        more: str = "",
        formatted: Sequence[str] = (),
    ) -> Broker:
        """Prepare a broker in a folder of its own. `advertised` is the port of a proxy in front of it.

        `ports` are those of broker and controller; a line of `more` wins over the property of the same name
        above; `formatted` goes to the tool that makes the log's folder.
        """
        folder = Path(tempfile.mkdtemp(prefix="plumbline-test-kafka-"))
        port, controller = ports or (free_port(), free_port())
        settings = folder / "server.properties"
        settings.write_text(
            PROPERTIES.format(port=port, controller=controller, advertised=advertised or port, folder=folder)
            + more
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
        broker = cls(f"127.0.0.1:{port}", lambda main: [*java, main], folder)
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
        """Start and wait until the port answers."""
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
        _wait_for_port(host, int(port), self._process)
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


@dataclass(frozen=True)
class Found:
    """How this machine can have a broker. `libraries` holds Kafka's jars; empty `name`: not at all."""

    name: str
    libraries: Path | None = None
    given: str = ""


@cache
def found() -> Found:
    """Return the first of the ways that works here."""
    if given := os.environ.get(GIVEN_VARIABLE):
        return Found(f"given at {given}", given=given)
    if how := _installed():
        return how
    if shutil.which("docker") and _ran("docker", "info"):
        return Found(f"Docker image {IMAGE}")
    return Found("")


@cache
def _installed() -> Found | None:
    """Return jars that this machine can run a broker from."""
    if shutil.which("java"):
        home = os.environ.get(HOME_VARIABLE)
        if home and list(Path(home, "libs").glob("kafka_2*.jar")):
            return Found(f"{HOME_VARIABLE} {home}", Path(home, "libs"))
        if libraries := _resolved_by_maven():
            return Found("jars resolved by Maven", libraries)
    return None


def pytest_report_header() -> str:
    """Say which Kafka the tests run on."""
    return f"kafka: {found().name or f'none found, so tests that need it are skipped; {REMEDY}'}"


@pytest.fixture(scope="session")
def kafka_libraries() -> Path:
    """The jars of a broker, for tests that start, cut and kill one of their own."""
    how = _installed()
    if how is None or how.libraries is None:
        _refuse("no Kafka jars on this machine")
    return how.libraries


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
        _refuse("no Kafka on this machine")


def _refuse(why: str) -> NoReturn:
    message = f"{why}: {REMEDY}"
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        pytest.fail(message)
    pytest.skip(message)


def _resolved_by_maven() -> Path | None:
    """Return the folder with the jars, filled once per version of the pom, safe among parallel workers."""
    target = CACHE / sha256(POM.read_bytes()).hexdigest()[:16]
    if list(target.glob("kafka_2*.jar")):
        return target
    if not shutil.which("mvn"):
        return None
    CACHE.mkdir(parents=True, exist_ok=True)
    building = CACHE / f"building-{uuid4().hex}"
    resolved = _ran(
        "mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", "-DincludeScope=runtime",
        f"-DoutputDirectory={building}",
    )  # fmt: skip
    if not resolved:
        shutil.rmtree(building, ignore_errors=True)
        return None
    try:
        building.rename(target)  # complete or not there
    except OSError:
        shutil.rmtree(building, ignore_errors=True)  # another worker was faster
    return target


def _in_docker() -> Iterator[Broker]:
    port, name = free_port(), f"plumbline-test-kafka-{uuid4().hex[:8]}"
    options = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_LISTENERS": "PLAINTEXT://0.0.0.0:9092,CONTROLLER://0.0.0.0:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    }
    arguments = [word for key, value in options.items() for word in ("-e", f"{key}={value}")]
    if not _ran(
        "docker", "run", "-d", "--rm", "--name", name, "-p", f"127.0.0.1:{port}:9092", *arguments, IMAGE
    ):
        _refuse("Docker does not start a broker")
    try:
        _wait_for_port("127.0.0.1", port, None)
        yield Broker(f"127.0.0.1:{port}")
    finally:
        _ran("docker", "rm", "-f", name)


def _ran(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=180, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_port(host: str, port: int, process: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"the broker ended with {process.returncode}")
        try:
            socket.create_connection((host, port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"no broker at {host}:{port}")
