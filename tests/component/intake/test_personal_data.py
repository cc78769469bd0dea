"""Personal data is in intake alone, and there only sealed: markers are posted, and everything is searched for them."""

import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from deploy.infra import install
from services.intake import store
from shared.db import Database
from shared.relay import Relay
from shared.security.crypto import MasterKeys, Undecryptable

Make = Callable[..., dict[str, Any]]

NAME, EMAIL, CUSTOMER = "Markername Zzyzx", "mark.mailbox@marker.example", "CUSTMARK-7788190431"
PHONE, HKID, CARD = "+852 9876 5432", "G123456(A)", "4111 1111 1111 1111"
REF, DETAIL, IDEMPOTENCY = "REFMARK-4242", "detailmarker", "idempotencymarker"
MARKERS = [
    "markername", "zzyzx", "mark.mailbox", "marker.example", "custmark", "7788190431", "98765432", "9876 5432",
    "g123456", "4111 1111", "41111111", "refmark", "detailmarker", "idempotencymarker", "王小明",
]  # fmt: skip


def _hit(text: bytes) -> list[str]:
    """The markers in `text`, in clear or as JSON escapes them, in any case."""
    lowered = text.lower()
    shapes = {
        m: (m.encode(), orjson.dumps(m).strip(b'"'), m.encode("utf-16-le"), ascii(m)[1:-1].encode()) for m in MARKERS
    }
    return [m for m, every in shapes.items() if any(s.lower() in lowered for s in every)]


def _body(complaint: Make, narrative: str) -> dict[str, Any]:
    return complaint(
        narrative=narrative,
        complainant={"name": NAME, "phone": PHONE, "email": EMAIL, "customer_no": CUSTOMER},
        channel_ref=REF,
        branch=f"near {NAME}",
        product=CUSTOMER,
        desired_outcome=f"Call {PHONE} or write to {EMAIL}",
        detail={"note": f"{DETAIL} {NAME}"},
    )


async def test_no_marker_is_in_clear_anywhere(
    desk: Any, complaint: Make, everything_logged: io.StringIO, tmp_path: Path, postgres_dump: Callable[[str], bytes]
) -> None:
    narrative = (
        f"{NAME} here ({EMAIL}, 98765432). My identity card {HKID} and card {CARD} were copied; "
        f"Mr Zzyzx rang 9876-5432 about customer {CUSTOMER}. 請致電98765432。"
    )
    chinese = {"name": "王小明", "phone": "98765432"}
    bodies = [
        _body(complaint, narrative),
        complaint(complainant=chinese, narrative="王小明，電話９８７６５４３２，投訴收費。"),
    ]
    receipts = [(await desk.post(b, key=f"{IDEMPOTENCY}-{n}")).json() for n, b in enumerate(bodies)]
    for n, body in enumerate(bodies):  # a repeat, a conflict and a refusal on the way
        await desk.post(body, key=f"{IDEMPOTENCY}-{n}")
        await desk.post(body | {"narrative": f"{NAME} again"}, key=f"{IDEMPOTENCY}-{n}")
        await desk.post(body | {"channel": NAME, "product": f"{NAME}\x00"}, key=f"{IDEMPOTENCY}-x")
        await desk.get(f"/v1/complaints/{receipts[n]['id']}")
    with pytest.MonkeyPatch.context() as patch:  # and a failure of our own that holds what somebody wrote
        patch.setattr(type(desk.app.state.desk), "prepare", lambda *a, **k: (_ for _ in ()).throw(RuntimeError(NAME)))
        failed = await desk.post(bodies[0], key="boom")
    assert failed.status_code == 500
    assert not _hit(failed.content)

    metrics = (await desk.get("/metrics", who=None)).content
    payloads = "\n".join(r["payload"] for r in await desk.rows("SELECT payload FROM outbox")).encode()
    details = "\n".join(r["detail"] for r in await desk.rows("SELECT detail FROM audit")).encode()
    if desk.db.is_sqlite:
        path = Path(str(urlsplit(desk.db.url).path)[1:] if "////" not in desk.db.url else desk.db.url.split("///")[1])
        files = [Path("/") / path, *Path("/", path).parent.glob(f"{path.name}-*")]
        kept = b"".join(f.read_bytes() for f in files)
        assert any(f.name.endswith("-wal") for f in files), "the write-ahead log is searched too"
    else:
        kept = postgres_dump(desk.db.url)

    assert receipts[0]["reference"].encode() in kept, "the search looks where the complaint is"
    assert _hit(kept) == []
    assert _hit(payloads) == []
    assert _hit(details) == []
    assert _hit(metrics) == []
    logged = everything_logged.getvalue()
    assert "request.failed" in logged
    assert _hit(logged.encode()) == []
    shown = (await desk.get(f"/v1/complaints/{receipts[0]['id']}")).json()
    assert shown["narrative"] == narrative, "whoever may, reads it whole"


@pytest.fixture
def postgres_dump() -> Callable[[str], bytes]:
    """Everything in a PostgreSQL database as text; bytea as what it holds."""

    def dump(url: str) -> bytes:
        programs = install.find_postgres()
        assert programs is not None
        command = [str(programs / "pg_dump"), "--inserts", "--dbname", url.replace("+asyncpg", "")]
        done = subprocess.run(command, capture_output=True, check=True)
        words = done.stdout.split(b"'")
        sealed = [bytes.fromhex(w[2:].decode()) for w in words if w.startswith(b"\\x")]
        assert sealed, "sealed columns are searched as bytes"
        return done.stdout + b"\n".join(sealed)

    return dump


def test_the_search_finds_what_it_looks_for() -> None:
    for marker in MARKERS:
        assert marker in _hit(f"x{marker.upper()}y".encode())
    assert "王小明" in _hit(b'{"name":"\\u738b\\u5c0f\\u660e"}')
    assert _hit(b"nothing of the kind") == []


# --- keys ---


async def test_a_new_master_key_takes_over_without_touching_the_data(
    start: Any, migrated: Callable[[str], str], complaint: Make
) -> None:
    old, new, pseudonym = b"o" * 32, b"n" * 32, b"p" * 32
    first = await start(migrated("intake"), keys=MasterKeys({"k1": old}, pseudonym_key=pseudonym))
    receipts = [(await first.post(complaint(narrative=f"No. {n}"), key=f"k{n}")).json() for n in range(7)]
    sealed = {r["id"]: bytes(r["sealed_content"]) for r in await first.rows("SELECT id, sealed_content FROM complaint")}

    both = MasterKeys({"k2": new, "k1": old}, pseudonym_key=pseudonym)
    second = await start(first.db.url, tokens=first.tokens, keys=both)
    assert (await second.post(complaint(narrative="No. 7"), key="k7")).status_code == 201
    done, after = [], ""
    while not done or done[-1]:
        async with second.db.transaction() as tx:
            ids = await second.app.state.desk.rewrap(tx, after, 3, now=second.now)
        done.append(len(ids))
        after = ids[-1] if ids else after
    assert done == [3, 3, 1, 0]
    assert await second.scalar("SELECT count(*) FROM complaint WHERE key_id <> 'k2'") == 0
    assert await second.scalar("SELECT count(*) FROM audit WHERE action = 'keys.rewrapped'") == 3

    only_new = MasterKeys({"k2": new}, pseudonym_key=pseudonym)
    third = await start(first.db.url, tokens=first.tokens, keys=only_new)
    for n, receipt in enumerate(receipts):
        found = (await third.get(f"/v1/complaints/{receipt['id']}")).json()
        assert found["narrative"] == f"No. {n}"
        again = await third.post(complaint(narrative=f"No. {n}"), key=f"k{n}")
        assert again.json() == receipt, "a repeat is answered as before, token and all"
        path = f"/v1/track/{receipt['reference']}"
        tracked = await third.get(path, who=None, **{"X-Tracking-Token": receipt["tracking"]["token"]})
        assert tracked.status_code == 200
    for row in await third.rows("SELECT id, sealed_content FROM complaint"):
        assert row["id"] not in sealed or bytes(row["sealed_content"]) == sealed[row["id"]]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
async def test_one_complaints_sealed_data_does_not_open_in_another(desk: Any, complaint: Make) -> None:
    one, other = [(await desk.post(complaint(narrative=f"No. {n}"))).json()["id"] for n in range(2)]
    async with desk.db.transaction() as tx:
        first, second = await store.complaint.complaint(tx, one), await store.complaint.complaint(tx, other)
        assert first is not None
        assert second is not None
        first.sealed_content = second.sealed_content
    async with desk.db.reading() as session:
        swapped = await store.complaint.complaint(session, one)
        assert swapped is not None
        with pytest.raises(Undecryptable):
            desk.app.state.desk.content(swapped)
    answer = await desk.get(f"/v1/complaints/{one}")
    assert answer.status_code == 500
    assert "No. 1" not in answer.text


async def test_the_relay_publishes_no_more_than_the_outbox_holds(desk: Any, complaint: Make) -> None:
    published: list[bytes] = []

    class Bus:
        async def publish(self, messages: Any) -> list[bool]:
            published.extend(m.value for m in messages)
            return [True] * len(messages)

    db: Database = desk.db
    await desk.post(_body(complaint, f"I am {NAME}"))
    await Relay(db, Bus(), "redress.intake.v1", lambda: desk.now).publish_once()  # type: ignore[arg-type]
    assert len(published) == 1
    assert _hit(published[0]) == []
