"""The ways to have a Kafka on this machine, of which the first that works is taken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

GIVEN_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
HOME_VARIABLE = "KAFKA_HOME"
POM = Path(__file__).parents[2] / "deploy" / "kafka-test" / "pom.xml"
CACHE = Path(__file__).parents[2] / ".plumbline" / "kafka-test"
IMAGE = "apache/kafka:4.1.0"
OLDEST_JAVA = 17
PATIENCE_SECONDS = 600.0  # a first time loads jars or an image


@dataclass(frozen=True)
class Found:
    """How this machine can have a broker. `libraries` holds Kafka's jars; empty `name`: not at all."""

    name: str
    libraries: Path | None = None
    given: str = ""


NOTHING = Found("")


@cache
def found() -> Found:
    """Return the way that works here."""
    return look(os.environ)


@cache
def installed() -> Found:
    """Return jars that this machine can run brokers of its own from."""
    return look_for_jars(os.environ)


def look(environment: Mapping[str, str], cached: Path = CACHE) -> Found:
    """Return the first of the ways that works in this environment."""
    if given := environment.get(GIVEN_VARIABLE):
        return Found(f"given at {given}", given=given)
    if (how := look_for_jars(environment, cached)).name:
        return how
    # The image is loaded here, outside any test's time limit.
    docker = (("docker", "image", "inspect", IMAGE), ("docker", "pull", "--quiet", IMAGE))
    if any(ran(*command, environment=environment) is not None for command in docker):
        return Found(f"Docker image {IMAGE}")
    return NOTHING


def look_for_jars(environment: Mapping[str, str], cached: Path = CACHE) -> Found:
    """Return the jars of `KAFKA_HOME`, else those that Maven brings, if there is a Java that runs them."""
    said = ran("java", "-version", environment=environment)
    version = re.search(r'version "(\d+)', said or "")
    if version is None or int(version[1]) < OLDEST_JAVA:
        return NOTHING
    home = environment.get(HOME_VARIABLE)
    if home and list(Path(home, "libs").glob("kafka_2*.jar")):
        return Found(f"{HOME_VARIABLE} {home}", Path(home, "libs"))
    if libraries := _resolved_by_maven(environment, cached):
        return Found("jars resolved by Maven", libraries)
    return NOTHING


def _resolved_by_maven(environment: Mapping[str, str], cached: Path) -> Path | None:
    """Return the folder with the jars, filled once per version of the pom, safe among parallel workers."""
    target = cached / sha256(POM.read_bytes()).hexdigest()[:16]
    if list(target.glob("kafka_2*.jar")):
        return target
    building = cached / f"building-{uuid4().hex}"
    resolved = ran(
        "mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", "-DincludeScope=runtime",
        f"-DoutputDirectory={building}", environment=environment,
    )  # fmt: skip
    if resolved is None:
        shutil.rmtree(building, ignore_errors=True)
        return None
    try:
        building.rename(target)  # complete or not there
    except OSError:
        shutil.rmtree(building, ignore_errors=True)  # another worker was faster
    return target


def ran(*command: str, environment: Mapping[str, str] | None = None) -> str | None:
    """Return what a command said; None if it failed, took too long or is not on the environment's PATH."""
    try:
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=PATIENCE_SECONDS, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
