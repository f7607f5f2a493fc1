"""The AsyncAPI document: valid for AsyncAPI's own judges, and complete."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from shared.contracts.asyncapi import asyncapi_document
from shared.contracts.registry import REGISTRY, TOPICS

HERE = Path(__file__).parent
PARSER = HERE / "asyncapi-parser"
# `npm ci` in that folder installs the parser; CI demands it, elsewhere it is asked when it is there.
INSTALLED = (PARSER / "node_modules").is_dir() and shutil.which("node") is not None
DEMANDED = bool(os.environ.get("PLUMBLINE_TEST_REQUIRE_ASYNCAPI_PARSER"))

SCHEMA = Draft7Validator(json.loads((HERE / "asyncapi-schema" / "3.0.0.json").read_text(encoding="utf-8")))


def schema_accepts(document: dict, _: Path) -> bool:
    return SCHEMA.is_valid(document)


def parser_accepts(document: dict, folder: Path) -> bool:
    path = folder / "asyncapi.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    judged = subprocess.run(
        ["node", PARSER / "check.mjs", path], capture_output=True, text=True, timeout=60, check=False
    )
    assert "messages" in judged.stdout, judged.stderr  # the judge itself must not fail
    return judged.returncode == 0


JUDGES = [schema_accepts, *([parser_accepts] if INSTALLED or DEMANDED else [])]


@pytest.mark.parametrize("accepts", JUDGES)
def test_the_document_is_valid(accepts: Callable[[dict, Path], bool], tmp_path: Path) -> None:
    assert accepts(asyncapi_document(), tmp_path)


@pytest.mark.parametrize("accepts", JUDGES)
def test_the_judges_notice_a_wrong_document(accepts: Callable[[dict, Path], bool], tmp_path: Path) -> None:
    wrong = copy.deepcopy(asyncapi_document())
    wrong["operations"]["send_intake_requests"]["action"] = "shout"

    assert not accepts(wrong, tmp_path)


def test_every_topic_is_a_channel_and_every_type_a_message_on_it() -> None:
    channels = asyncapi_document()["channels"].values()

    assert {channel["address"]: set(channel["messages"]) for channel in channels} == {
        name: {contract.TYPE for contract in topic.contracts} for name, topic in TOPICS.items()
    }


def test_channels_tell_partitions_and_messages_tell_their_key() -> None:
    document = asyncapi_document()
    trait = document["components"]["messageTraits"]["cloudevent"]

    assert {channel["bindings"]["kafka"]["partitions"] for channel in document["channels"].values()} == {6}
    assert trait["bindings"]["kafka"]["key"]["format"] == "uuid"
    assert all(
        message["traits"] == [{"$ref": "#/components/messageTraits/cloudevent"}]
        for message in document["components"]["messages"].values()
    )


def test_every_channel_is_sent_to_by_one_and_received_from() -> None:
    operations = asyncapi_document()["operations"]

    assert sorted(operation["action"] for operation in operations.values()) == (
        ["receive"] * len(TOPICS) + ["send"] * len(TOPICS)
    )


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi_document()

    def follow(part: object) -> None:
        if isinstance(part, list):
            for item in part:
                follow(item)
        if isinstance(part, dict):
            if isinstance(reference := part.get("$ref"), str):
                target = document
                for step in reference.removeprefix("#/").split("/"):
                    target = target[step]
            for item in part.values():
                follow(item)

    follow(document)
    assert len(document["components"]["messages"]) == len(REGISTRY)


def test_the_lock_file_names_no_host_but_the_public_registry() -> None:
    lock = (PARSER / "package-lock.json").read_text(encoding="utf-8")

    hosts = {part.split("/")[0].split('"')[0] for part in lock.split("://")[1:]}

    assert hosts <= {"registry.npmjs.org"}
