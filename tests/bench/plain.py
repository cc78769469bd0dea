"""The yardstick: the endpoint that a competent developer writes first, with FastAPI and SQLModel.

`BENCH_DATABASE` set: one session and one durable commit a request, a complaint and its outbox row. Unset: the same
endpoint without any database. Neither authenticates, encrypts, redacts, audits, nor knows a repeat.
"""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import Column, DateTime, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import Field, SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession


class Complainant(BaseModel):
    name: str = Field(max_length=200)
    phone: str | None = None
    email: str | None = None
    customer_no: str | None = None


class Amount(BaseModel):
    value: Decimal
    currency: str = Field(max_length=3)


class ComplaintIn(BaseModel):
    channel: str
    narrative: str = Field(max_length=20_000)
    complainant: Complainant
    branch: str | None = None
    product: str | None = None
    amount: Amount | None = None
    occurred_at: datetime | None = None
    desired_outcome: str | None = None
    language: str | None = None


class Receipt(BaseModel):
    id: str
    reference: str
    status: str
    received_at: datetime


class Complaint(SQLModel, table=True):
    id: str = Field(primary_key=True, max_length=36)
    reference: str = Field(max_length=20, unique=True)
    received_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    channel: str
    narrative: str
    name: str
    phone: str | None = None
    email: str | None = None
    customer_no: str | None = None
    branch: str | None = None
    product: str | None = None
    amount: Decimal | None = Field(default=None, max_digits=18, decimal_places=4)
    currency: str | None = None
    occurred_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))
    desired_outcome: str | None = None
    language: str | None = None


class Outbox(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    complaint_id: str
    type: str
    payload: str
    sent_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True)))


def connect(url: str) -> AsyncEngine:
    """An engine that commits durably. On SQLite one connection: more would only fight for the file's one write lock."""
    if not url.startswith("sqlite"):
        return create_async_engine(url, pool_size=20)
    engine = create_async_engine(url, pool_size=1, max_overflow=0)

    @event.listens_for(engine.sync_engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    return engine


def _reference(id: str) -> str:
    return f"C-{id[-12:].upper()}"


def with_database(url: str) -> FastAPI:
    engine = connect(url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(SQLModel.metadata.create_all)
        yield
        await engine.dispose()

    async def session() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine, expire_on_commit=False) as session:
            yield session

    api = FastAPI(lifespan=lifespan)

    @api.post("/v1/complaints", status_code=201)
    async def receive(body: ComplaintIn, session: Annotated[AsyncSession, Depends(session)]) -> Receipt:
        id = str(uuid.uuid4())
        complaint = Complaint(
            id=id,
            reference=_reference(id),
            received_at=datetime.now(UTC),
            **body.model_dump(exclude={"complainant", "amount"}),
            **body.complainant.model_dump(),
            amount=body.amount.value if body.amount else None,
            currency=body.amount.currency if body.amount else None,
        )
        session.add(complaint)
        session.add(Outbox(complaint_id=id, type="complaint.received", payload=complaint.model_dump_json()))
        await session.commit()
        return Receipt(id=id, reference=complaint.reference, status="received", received_at=complaint.received_at)

    return api


def without_database() -> FastAPI:
    api = FastAPI()

    @api.post("/v1/complaints", status_code=201)
    async def receive(body: ComplaintIn) -> Receipt:
        id = str(uuid.uuid4())
        return Receipt(id=id, reference=_reference(id), status="received", received_at=datetime.now(UTC))

    return api


def app() -> FastAPI:
    url = os.environ.get("BENCH_DATABASE")
    return with_database(url) if url else without_database()
