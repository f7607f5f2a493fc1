"""The asking side of the feed: one other service's pages and head over HTTP."""

from __future__ import annotations

from typing import Any, Final, Protocol

import httpx

from shared.eventsourcing.log import NewerData, StoreFork
from shared.messaging.message import Partition
from shared.messaging.pages import FeedHead, FeedPage

_ANSWER_SECONDS: Final = 10.0


class SourceFeed(Protocol):
    """Where a consumer reads a source in order, repairs gaps and learns the head."""

    async def page(
        self, after: int, digest: bytes, *, wait: float = 0, chain: Partition | None = None
    ) -> FeedPage:
        """Return the messages behind `after`, whose hash the caller knows as `digest` (empty: unknown)."""
        ...

    async def head(self) -> FeedHead:
        """Return where the source's log ends now."""
        ...


class HttpSourceFeed:
    """A source's feed at `url`, the service's base URL with its prefix, such as http://intake:8080/intake.

    Errors of the network and of the server come as `httpx.HTTPError`, another log under the same name as
    `StoreFork`, a source that is itself too old for its data as `NewerData`.
    """

    def __init__(self, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url.rstrip("/") + "/v1/feed"

    async def page(
        self, after: int, digest: bytes, *, wait: float = 0, chain: Partition | None = None
    ) -> FeedPage:
        """Ask for one page; with `chain`, of that partition only."""
        asked: dict[str, Any] = {"after": after, "wait": wait}
        if digest:
            asked["hash"] = digest.hex()
        if chain is not None:
            asked |= {"topic": chain.topic, "partition": chain.number}
        return FeedPage.from_json(await self._get(self._url, asked, wait))

    async def head(self) -> FeedHead:
        """Ask for the head."""
        return FeedHead.from_json(await self._get(self._url + "/head", {}, 0))

    async def _get(self, url: str, asked: dict[str, Any], wait: float) -> bytes:
        answer = await self._client.get(url, params=asked, timeout=wait + _ANSWER_SECONDS)
        if answer.status_code == httpx.codes.CONFLICT:
            raise StoreFork(answer.text[:500])
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "newer-data" in answer.text:
            raise NewerData(f"{url}: the source cannot read its own log yet")
        answer.raise_for_status()
        return answer.content
