"""Which Kafka the tests run on: the first way that works, whatever else the machine has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.kafka import PROPERTIES, as_variables
from tests.support.kafka_rungs import IMAGE, look

JAVA = "echo 'openjdk version \"{}.0.15\" 2025-04-15' >&2"
MAVEN = """
for word in "$@"; do
    case $word in
        -DoutputDirectory=*) /bin/mkdir -p "${word#*=}" && : > "${word#*=}/kafka_2.13-4.1.0.jar" ;;
    esac
done
"""


class Machine:
    """A machine with nothing on it but the programs it is given."""

    def __init__(self, folder: Path) -> None:
        self._programs = folder / "bin"
        self._programs.mkdir()
        self.cached = folder / "cached"
        self.home = folder / "kafka"
        self.environment = {"PATH": str(self._programs)}

    def has(self, name: str, does: str = "") -> None:
        program = self._programs / name
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)

    def has_kafka_at_home(self) -> None:
        (self.home / "libs").mkdir(parents=True)
        (self.home / "libs" / "kafka_2.13-4.1.0.jar").touch()
        self.environment["KAFKA_HOME"] = str(self.home)

    def found(self) -> str:
        return look(self.environment, self.cached).name


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_first_way_that_works_is_taken(machine: Machine):
    assert machine.found() == ""
    machine.has("docker")
    assert machine.found() == f"Docker image {IMAGE}"
    machine.has("java", JAVA.format(17))
    machine.has("mvn", MAVEN)
    assert machine.found() == "jars resolved by Maven"
    machine.has_kafka_at_home()
    assert machine.found() == f"KAFKA_HOME {machine.home}"
    machine.environment["KAFKA_BOOTSTRAP_SERVERS"] = "broker:9092"
    assert machine.found() == "given at broker:9092"


def test_jars_that_were_resolved_once_need_no_maven_any_more(machine: Machine):
    machine.has("java", JAVA.format(21))
    machine.has("mvn", MAVEN)
    assert machine.found() == "jars resolved by Maven"
    machine.has("mvn", "exit 1")
    assert machine.found() == "jars resolved by Maven"


def test_a_way_that_does_not_work_is_passed_over(machine: Machine):
    machine.has_kafka_at_home()
    machine.has("java", JAVA.format(11))
    machine.has("mvn", MAVEN)
    assert machine.found() == "", "Kafka 4 does not run on Java 11"
    machine.has("java", JAVA.format(17))
    machine.has("mvn", "exit 1")
    (machine.home / "libs" / "kafka_2.13-4.1.0.jar").unlink()
    machine.has("docker", '[ "$1" = pull ]')
    assert machine.found() == f"Docker image {IMAGE}", "which is loaded first"
    machine.has("docker", "exit 1")
    assert machine.found() == "", "a client of Docker without its daemon"


def test_a_broker_in_docker_is_told_what_any_other_is():
    told = as_variables(PROPERTIES.format(port=9092, controller=9093, advertised=9092, bind="0.0.0.0"))
    assert len(told) == len(PROPERTIES.split())
    assert "KAFKA_LISTENERS=PLAINTEXT://0.0.0.0:9092,CONTROLLER://127.0.0.1:9093" in told
    assert "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR=1" in told
