"""Declares topics at the broker and compares what it has with what the log fixed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from shared.messaging.brokers import START_SECONDS, KafkaAccess


class PartitionsDiffer(Exception):
    """The broker's topic is missing or has another partition count than the log: keys would move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What stands or would be done for one topic. `found` is the broker's partition count, 0 for no topic."""

    name: str
    partitions: int
    found: int

    @property
    def differs(self) -> bool:
        """Tell whether the topic exists with another partition count, which nobody can repair in place."""
        return self.found not in (0, self.partitions)


async def declare(access: KafkaAccess, topics: Mapping[str, int], *, dry_run: bool = False) -> list[Declared]:
    """Create the missing topics with the given partition counts; report every topic, in order of names.

    With `dry_run` the broker only checks that it would. Existing topics are never altered.
    """
    async with _admin(access) as admin:
        found = await _counts(admin, topics)
        missing = [_new(access, name, topics[name]) for name in sorted(topics) if not found.get(name)]
        if missing:
            answer = await admin.create_topics(missing, validate_only=dry_run)
            for name, code, *message in answer.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:
                    raise error(f"{name}: {' '.join(str(part) for part in message)}")
    return [Declared(name=name, partitions=topics[name], found=found.get(name, 0)) for name in sorted(topics)]


async def compare(access: KafkaAccess, topics: Mapping[str, int]) -> None:
    """Raise `PartitionsDiffer` unless the broker has every topic with its partition count."""
    async with _admin(access) as admin:
        found = await _counts(admin, topics)
    wrong = [
        f"{name} has {found.get(name, 0)} partitions, not {count}"
        for name, count in topics.items()
        if found.get(name) != count
    ]
    if wrong:
        raise PartitionsDiffer("; ".join(wrong))


@asynccontextmanager
async def _admin(access: KafkaAccess) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(**access.options(), request_timeout_ms=int(START_SECONDS * 1000))
    try:
        await access.start(admin)
        yield admin
    finally:
        await admin.close()


async def _counts(admin: Any, names: Collection[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for topic in await admin.describe_topics(list(names)):
        error = for_code(topic["error_code"])
        if not topic["error_code"]:
            counts[topic["topic"]] = len(topic["partitions"])
        elif error is not UnknownTopicOrPartitionError:
            raise error(topic["topic"])
    return counts


def _new(access: KafkaAccess, name: str, partitions: int) -> NewTopic:
    copies = access.settings.replication_factor
    return NewTopic(
        name,
        partitions,
        copies,
        topic_configs={
            "cleanup.policy": "delete",  # compaction would keep only the last fact of each key
            "retention.ms": "-1",
            "min.insync.replicas": str(max(1, copies - 1)),
            "unclean.leader.election.enable": "false",
            "max.message.bytes": "1048576",
        },
    )
