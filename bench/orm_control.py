"""The control: the same request taken as most people write it, an ORM session per request."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import sqlalchemy as sa
import uvicorn
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Event(Base):
    __tablename__ = "event"
    position: Mapped[int] = mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)
    stream_id: Mapped[UUID]
    version: Mapped[int]
    event_id: Mapped[UUID]
    type: Mapped[str]
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    meta: Mapped[dict[str, Any]] = mapped_column(JSON)
    recorded_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))


class Projection(Base):
    __tablename__ = "projection"
    request_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[str]
    title: Mapped[str]
    state: Mapped[str]
    requester_id: Mapped[UUID]
    submitted_at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))


class Person(BaseModel):
    name: str
    address: str


class Submitted(BaseModel):
    kind: str
    title: str
    description: str
    requester: Person
    business_unit: str
    service: str
    impact: str
    urgency: str


class Answer(BaseModel):
    id: UUID
    number: str
    version: int


async def session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.sessions() as opened:
        yield opened


def control(url: str) -> FastAPI:
    """Return the application on the limits' tables."""
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=20)
    app = FastAPI()
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)

    @app.post("/intake/v1/requests", status_code=201)
    async def submit(body: Submitted, opened: Annotated[AsyncSession, Depends(session)]) -> Answer:
        request_id, now = uuid4(), datetime.now(UTC)
        event = Event(
            stream_id=request_id,
            version=1,
            event_id=uuid4(),
            type="RequestSubmitted",
            payload=body.model_dump(mode="json"),
            meta={"actor": "bench"},
            recorded_at=now,
        )
        row = Projection(
            request_id=request_id,
            number="REQ-2026-000001",
            title=body.title,
            state="submitted",
            requester_id=uuid4(),
            submitted_at=now,
        )
        opened.add_all([event, row])
        await opened.commit()
        return Answer(id=request_id, number=row.number, version=1)

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {"status": "ok"}

    return app


if __name__ == "__main__":
    uvicorn.run(
        control(os.environ["DATABASE_URL"]),
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        http="httptools",
        loop="uvloop",
        access_log=False,
        log_level="warning",
    )
