"""A letter or form with its scans in one request: all of it is kept once, or nothing of it."""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from structlog.testing import capture_logs

from deploy.infra.ports import free_port
from services.intake import store
from services.intake.channels import branch, letter, phone, regulator, social, web_chat
from services.intake.settings import IntakeSettings
from shared.clock import utcnow
from shared.db import Database
from shared.migrations import migrate
from shared.security import keys
from shared.security.keys import NewKey

FOLDER = Path(__file__).parents[3] / "services" / "intake" / "migrations"
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
EXAMPLES: dict[str, Any] = {
    "phone": phone.EXAMPLE,
    "web-chat": web_chat.EXAMPLE,
    "letter": letter.EXAMPLE,
    "branch": branch.EXAMPLE,
    "social": social.EXAMPLE,
    "regulator": regulator.EXAMPLE,
}
BOTH = pytest.mark.parametrize("channel", ["letter", "branch"])
EVERY = pytest.mark.parametrize("channel", [*EXAMPLES, None])  # None: POST /v1/complaints
PAGES = [b"%PDF-1.7\n" + b"page %d of the letter " % n * 20_000 for n in (1, 2, 3)]
BOUNDARY = "xxCUTxx"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def _body(channel: str | None, **changes: Any) -> dict[str, Any]:
    """A report without tickets."""
    if channel is None:
        found = {"channel": "mobile", "narrative": "n", "complainant": {"anonymous": True}, "channel_ref": "m-1"}
    else:
        found = deepcopy(EXAMPLES[channel])
    return {k: v for k, v in (found | changes).items() if k != "attachments" or "attachments" in changes}


async def _post(desk: Any, channel: str | None, body: Any, *, key: str | None = None) -> httpx.Response:
    path = f"/v1/channels/{channel}" if channel else "/v1/complaints"
    return await desk.http.post(path, json=body, headers=desk.headers("any", key))


async def _send(
    desk: Any, channel: str, body: Any, pages: Any = (PAGES[0],), *, who: str = "any", key: str | None = None
) -> httpx.Response:
    """`body` with `pages` as its scans, in one request."""
    parts: list[Any] = [("complaint", (None, orjson.dumps(body), "application/json"))]
    parts += [("file", (f"頁 {n}.pdf", page, "application/pdf")) for n, page in enumerate(pages, 1)]
    return await desk.http.post(f"/v1/channels/{channel}", files=parts, headers=desk.headers(who, key))


def _part(name: str | None, content: bytes, *lines: str) -> bytes:
    named = [f'Content-Disposition: form-data; name="{name}"'] if name is not None else []
    return "\r\n".join([f"--{BOUNDARY}", *named, *lines, "", ""]).encode() + content + b"\r\n"


async def _send_raw(desk: Any, channel: str, content: Any, *, who: str = "any", kind: str = FORM) -> httpx.Response:
    headers = desk.headers(who) | {"Content-Type": kind}
    return await desk.http.post(f"/v1/channels/{channel}", content=content, headers=headers)


async def _ticket(desk: Any, content: bytes = PAGES[0]) -> str:
    headers = desk.headers("any") | {"Content-Type": "application/pdf"}
    found: str = (await desk.http.post("/v1/uploads", content=content, headers=headers)).json()["ticket"]
    return found


async def _files(desk: Any, id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await desk.get(f"/v1/complaints/{id}/attachments")).json()["items"]
    return found


def _objects(desk: Any) -> list[Path]:
    return [p for p in (desk.app.state.settings.home / "attachments").rglob("*") if p.is_file()]


def _refused(answer: httpx.Response, status: int, code: str) -> dict[str, str]:
    """Pointer -> code of what is refused."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    return {e["pointer"]: e["code"] for e in answer.json()["errors"]}


async def _nothing_is_kept(desk: Any) -> bool:
    """Neither of a complaint nor, once a day has passed, of its files."""
    for table in ("complaint", "outbox", "attachment WHERE complaint_id IS NOT NULL"):
        assert await desk.scalar(f"SELECT count(*) FROM {table}") == 0, table
    desk.now += timedelta(hours=25)
    await desk.app.state.files.sweep()
    return _objects(desk) == [] and await desk.scalar("SELECT count(*) FROM attachment") == 0


# --- taken ---


@BOTH
async def test_a_report_comes_with_its_scans_in_one_request(desk: Any, channel: str) -> None:
    answer = await _send(desk, channel, _body(channel), PAGES, key="k")
    assert answer.status_code == 201, answer.text
    id = answer.json()["id"]
    found = (await desk.get(f"/v1/complaints/{id}")).json()
    assert (found["channel"], found["product"]) == (channel, EXAMPLES[channel]["product"])
    await desk.app.state.files.scan()
    listed = await _files(desk, id)
    assert [(f["name"], f["media_type"], f["state"]) for f in listed] == [
        (f"頁 {n}.pdf", "application/pdf", "clean") for n in (1, 2, 3)
    ]
    for file, page in zip(listed, PAGES, strict=True):
        back = await desk.http.get(file["url"].removeprefix(desk.app.state.public_url))
        assert back.content == page
    assert len(_objects(desk)) == 3


@SQLITE
@BOTH
async def test_tickets_of_earlier_uploads_may_come_along(desk: Any, channel: str) -> None:
    body = _body(channel, attachments=[await _ticket(desk, PAGES[1])])
    id = (await _send(desk, channel, body, [PAGES[0]])).json()["id"]
    assert {f["sha256"] for f in await _files(desk, id)} == {hashlib.sha256(p).hexdigest() for p in PAGES[:2]}


@SQLITE
@BOTH
async def test_a_form_is_read_however_it_is_cut(desk: Any, channel: str) -> None:
    page = PAGES[0][:3000]
    body = _part("complaint", orjson.dumps(_body(channel))) + _part("file", page) + f"--{BOUNDARY}--".encode()

    async def bytewise() -> AsyncIterator[bytes]:
        for at in range(len(body)):
            yield body[at : at + 1]

    answer = await _send_raw(desk, channel, bytewise())
    assert answer.status_code == 201, answer.text
    (file,) = await _files(desk, answer.json()["id"])
    assert (file["name"], file["size"]) == ("file", len(page))


# --- sent again ---


@BOTH
async def test_sent_again_it_answers_the_same_and_its_files_are_kept_once(desk: Any, channel: str) -> None:
    body = _body(channel)
    first = await _send(desk, channel, body, PAGES, key="k")
    assert first.status_code == 201, first.text
    assert "idempotency-replayed" not in first.headers
    for key in ("k", None, "k-2"):
        again = await _send(desk, channel, body, PAGES, key=key)
        assert (again.status_code, again.content) == (201, first.content)
        assert again.headers["idempotency-replayed"] == "true"
    assert await desk.scalar("SELECT count(*) FROM complaint") == 1
    assert len(await _files(desk, first.json()["id"])) == 3
    desk.now += timedelta(hours=25)
    await desk.app.state.files.sweep()
    assert len(_objects(desk)) == 3, "those of the repeats are gone"
    assert len(await _files(desk, first.json()["id"])) == 3


@BOTH
async def test_two_at_once_are_one_complaint(desk: Any, channel: str) -> None:
    answers = await asyncio.gather(*[_send(desk, channel, _body(channel), PAGES, key="k") for _ in range(4)])
    assert {a.status_code for a in answers} == {201}
    assert len({a.content for a in answers}) == 1
    assert sorted(a.headers.get("idempotency-replayed", "") for a in answers) == ["", "true", "true", "true"]
    assert len(await _files(desk, answers[0].json()["id"])) == 3


@BOTH
async def test_other_scans_under_the_same_number_are_a_conflict(desk: Any, channel: str) -> None:
    body = _body(channel)
    first = await _send(desk, channel, body, PAGES[:2], key="k")
    for pages in (PAGES[:1], PAGES, PAGES[1::-1], [PAGES[0], PAGES[2]]):
        same_number = await _send(desk, channel, body, pages)
        assert (same_number.status_code, same_number.json()["code"]) == (409, "channel_ref_conflict")
        same_key = await _send(desk, channel, body, pages, key="k")
        assert (same_key.status_code, same_key.json()["code"]) == (422, "idempotency_key_reused")
    without = await _post(desk, channel, body)
    assert (without.status_code, without.json()["code"]) == (409, "channel_ref_conflict")
    assert await desk.scalar("SELECT count(*) FROM complaint") == 1
    assert len(await _files(desk, first.json()["id"])) == 2


@BOTH
async def test_the_same_files_by_ticket_are_the_same_request(desk: Any, channel: str) -> None:
    first = await _send(desk, channel, _body(channel), PAGES[:2], key="k")
    tickets = [await _ticket(desk, page) for page in PAGES[:2]]
    again = await _post(desk, channel, _body(channel, attachments=tickets), key="k")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    half = await _send(desk, channel, _body(channel, attachments=tickets[:1]), PAGES[1:2])
    assert (half.status_code, half.content) == (201, first.content)
    assert len(await _files(desk, first.json()["id"])) == 2


@EVERY
async def test_tickets_are_known_again_by_what_is_in_their_files(desk: Any, channel: str | None) -> None:
    tickets = [await _ticket(desk, page) for page in PAGES[:2]]
    first = await _post(desk, channel, _body(channel, attachments=tickets), key="k")
    assert first.status_code == 201, first.text
    uploaded_anew = [await _ticket(desk, page) for page in PAGES[:2]]
    for same in (tickets, uploaded_anew, [tickets[0], uploaded_anew[1]]):
        for key in ("k", None):
            again = await _post(desk, channel, _body(channel, attachments=same), key=key)
            assert (again.status_code, again.content) == (201, first.content), again.text
            assert again.headers["idempotency-replayed"] == "true"
    other = [tickets[0], await _ticket(desk, PAGES[2])]
    for attachments in (other, tickets[:1], tickets[::-1], []):
        answer = await _post(desk, channel, _body(channel, attachments=attachments))
        assert (answer.status_code, answer.json()["code"]) == (409, "channel_ref_conflict")
    assert await desk.scalar("SELECT count(*) FROM complaint") == 1
    assert len(await _files(desk, first.json()["id"])) == 2
    assert await desk.scalar("SELECT count(*) FROM attachment WHERE complaint_id IS NULL") == 3


@SQLITE
@EVERY
async def test_a_ticket_that_is_none_is_told_before_anything_is_kept(desk: Any, channel: str | None) -> None:
    ticket = await _ticket(desk)
    unknown = await _post(desk, channel, _body(channel, attachments=[ticket, "none"]))
    assert _refused(unknown, 422, "ticket_unknown") == {"/attachments/1": "ticket_unknown"}
    twice = await _post(desk, channel, _body(channel, attachments=[ticket, ticket]))
    assert _refused(twice, 422, "ticket_unknown") == {"/attachments/1": "ticket_unknown"}
    assert await desk.scalar("SELECT count(*) FROM complaint") == 0
    assert (await _post(desk, channel, _body(channel, attachments=[ticket]))).status_code == 201


@SQLITE
async def test_a_repeat_after_erasure_is_still_no_new_complaint(desk: Any) -> None:
    body = _body("letter", attachments=[await _ticket(desk)])
    first = await _post(desk, "letter", body)
    id = first.json()["id"]
    async with desk.db.transaction() as tx:
        tx.add(store.complaint.Progress(complaint_id=id, status="closed", deadlines="[]", updated_at=desk.now))
    assert (await desk.http.post(f"/v1/complaints/{id}/erasure", headers=desk.headers("supervisor"))).status_code == 200
    again = await _post(desk, "letter", body)
    assert (again.status_code, again.json()["id"]) == (201, id)
    assert again.headers["idempotency-replayed"] == "true"


# --- refused ---

REPORT = _part("complaint", orjson.dumps(_body("letter")), "Content-Type: application/json")
FILE = _part("file", PAGES[0], "Content-Type: application/pdf")
END = f"--{BOUNDARY}--\r\n".encode()
WRONG: dict[str, tuple[bytes, int, str, dict[str, str]]] = {
    "no complaint": (FILE + END, 422, "part_refused", {"/complaint": "complaint_not_first"}),
    "complaint after a file": (FILE + REPORT + END, 422, "part_refused", {"/complaint": "complaint_not_first"}),
    "nothing": (END, 422, "part_refused", {"/complaint": "complaint_not_first"}),
    "two complaints": (REPORT + FILE + REPORT + END, 422, "part_refused", {"/complaint": "part_repeated"}),
    "no file": (REPORT + END, 422, "part_refused", {"/file": "file_missing"}),
    "no name": (REPORT + FILE + _part(None, b"x") + END, 422, "part_refused", {"": "part_unnamed"}),
    "unknown name": (REPORT + FILE + _part("scan", b"x") + END, 422, "part_refused", {"/scan": "part_unknown"}),
    "encoded": (
        REPORT + FILE + _part("file", b"JVBERi0=", "Content-Transfer-Encoding: base64") + END,
        422, "part_refused", {"/file/1": "part_encoded"},
    ),
    "no JSON": (_part("complaint", b"{") + FILE + END, 400, "malformed_request", {"/complaint": "json_invalid"}),
    "a wrong field": (
        _part("complaint", orjson.dumps(_body("letter", pages=0))) + FILE + END,
        422, "invalid_request", {"/complaint/pages": "greater_than_equal"},
    ),
    "a wrong rule": (
        _part("complaint", orjson.dumps(_body("letter", received_on="2026-12-24"))) + FILE + END,
        422, "invalid_request", {"/complaint/received_on": "in_the_future"},
    ),
    "a ticket that is none": (
        _part("complaint", orjson.dumps(_body("letter", attachments=["none"]))) + FILE + END,
        422, "ticket_unknown", {"/complaint/attachments/0": "ticket_unknown"},
    ),
    "another kind of file": (
        REPORT + FILE + _part("file", b"MZ\x90\0" + bytes(100), "Content-Type: application/pdf") + END,
        422, "file_refused", {"/file/1": "file_refused"},
    ),
    "an empty file": (REPORT + FILE + _part("file", b"") + END, 422, "file_refused", {"/file/1": "file_refused"}),
}  # fmt: skip


@SQLITE
@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_is_told_and_nothing_is_kept(desk: Any, case: str) -> None:
    content, status, code, fields = WRONG[case]
    assert _refused(await _send_raw(desk, "letter", content), status, code) == fields
    assert await _nothing_is_kept(desk)


@SQLITE
@BOTH
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (REPORT + FILE, FORM),
        (REPORT + FILE[:-2], FORM),
        (REPORT + FILE + f"--{BOUNDARY}-".encode(), FORM),
        (b"", FORM),
        (b"{}", FORM),
        (REPORT + FILE + END, "multipart/form-data"),
        (REPORT + FILE + END, "multipart/form-data; boundary=other"),
        (REPORT + f"--{BOUNDARY}\r\nNo colon\r\n\r\nx".encode() + END, FORM),
    ],
)
async def test_what_is_no_form_is_told(desk: Any, channel: str, content: bytes, kind: str) -> None:
    body = content.replace(orjson.dumps(_body("letter")), orjson.dumps(_body(channel)))
    answer = await _send_raw(desk, channel, body, kind=kind)
    assert (answer.status_code, answer.json()["code"]) == (400, "multipart_malformed")
    assert await _nothing_is_kept(desk)


@SQLITE
@BOTH
async def test_each_limit_holds(start: Any, migrated: Callable[[str], str], channel: str) -> None:
    limits = {"scans_files": 2, "attachment_max": 450_000, "scans_max": 1_000_000, "max_body": 10_000}
    desk = await start(migrated("intake"), settings=limits)
    body, long = _body(channel), _body(channel, narrative="x" * 11_000)
    many = await _send(desk, channel, body, PAGES[:1] + PAGES[:1] + PAGES[2:])
    assert _refused(many, 413, "payload_too_large") == {"": "payload_too_large"}
    many = await _send(desk, channel, body, [b"%PDF-1.7 short"] * 3)
    assert _refused(many, 422, "part_refused") == {"/file/2": "too_many_files"}
    file = await _send(desk, channel, body, [PAGES[0], PAGES[1] + bytes(40_000)])
    assert _refused(file, 413, "payload_too_large") == {"/file/1": "payload_too_large"}
    report = await _send(desk, channel, long)
    assert _refused(report, 413, "payload_too_large") == {"/complaint": "payload_too_large"}
    as_json = await _post(desk, channel, long)
    assert _refused(as_json, 413, "payload_too_large") == {"": "payload_too_large"}, "the usual limit, for JSON"

    async def endless() -> AsyncIterator[bytes]:
        yield _part("complaint", orjson.dumps(body))
        while True:
            yield _part("file", b"%PDF-1.7" + bytes(400_000))

    whole = await _send_raw(desk, channel, endless())
    assert (whole.status_code, whole.json()["code"]) == (413, "payload_too_large")
    assert await _nothing_is_kept(desk)
    assert (await _send(desk, channel, body, PAGES[:2])).status_code == 201


@SQLITE
@BOTH
async def test_a_report_that_is_refused_is_told_before_its_files_are_sent(desk: Any, channel: str) -> None:
    async def send(who: str, body: dict[str, Any]) -> tuple[httpx.Response, int]:
        sent = 0

        async def parts() -> AsyncIterator[bytes]:
            nonlocal sent
            yield _part("complaint", orjson.dumps(body))
            for _ in range(20):
                sent += 1
                yield _part("file", PAGES[0])

        return await _send_raw(desk, channel, parts(), who=who), sent

    for who, body, status in (
        ("reader", _body(channel), 403),
        ("phone", _body(channel), 403),
        ("any", _body(channel, narrative=""), 422),
    ):
        answer, sent = await send(who, body)
        assert (answer.status_code, sent <= 1) == (status, True), answer.text
    assert await _nothing_is_kept(desk)


@SQLITE
@BOTH
@pytest.mark.parametrize("after", [0, 1, 2, 5])
async def test_a_connection_that_is_cut_leaves_nothing_and_is_no_failure_of_ours(
    desk: Any, channel: str, after: int
) -> None:
    whole = _part("complaint", orjson.dumps(_body(channel))) + _part("file", PAGES[0]) + _part("file", PAGES[1])
    pieces = [whole[at : at + 150_000] for at in range(0, len(whole) - 150_000, 150_000)][:after]
    sent = iter([{"type": "http.request", "body": p, "more_body": True} for p in pieces])
    answered: list[Any] = []
    headers = desk.headers("any") | {"Content-Type": FORM}

    async def receive() -> Any:
        return next(sent, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        answered.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/v1/channels/{channel}",
        "query_string": b"",
        "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
    }
    with capture_logs() as logs:
        await desk.app(scope, receive, send)
    assert answered == [], "nobody is there"
    assert [(one["event"], one["log_level"]) for one in logs] == [("request.client_gone", "info")]
    assert len(_objects(desk)) == (1 if after == 5 else 0), "of the file that was cut, nothing is kept"
    assert await _nothing_is_kept(desk)


async def test_60_mb_of_scans_pass_through_little_memory(tmp_path: Path, eventually: Any) -> None:
    """Through a real server, whose peak of memory is read from the system; then a client that goes away."""
    settings = IntakeSettings(home=tmp_path)
    await asyncio.to_thread(migrate, FOLDER, settings.database)
    db = Database("intake", settings.database, store.tables)
    async with db.transaction() as tx:
        new = NewKey("any", scopes=["complaints:write"])
        token = await keys.create(tx, store.tables, new, actor="test", now=utcnow())
    port, log = free_port(), tmp_path / "log"
    command = [sys.executable, "-m", "uvicorn", "--factory", "services.intake.app:app", "--port", str(port)]
    with log.open("wb") as errors:
        server = await asyncio.create_subprocess_exec(
            *command, env=os.environ | {"REDRESS_HOME": str(tmp_path)}, stdout=errors, stderr=errors
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:

            async def serves() -> bool:
                with suppress(httpx.TransportError):
                    return (await http.get("/health/live")).is_success
                return False

            assert await eventually(serves, within=30)
            headers = {"Authorization": f"Bearer {token}", "Content-Type": FORM}
            body = _body("letter", received_on=utcnow().date().isoformat(), dated=None)
            path = "/v1/channels/letter"

            async def scans(count: int, size: int, *digests: Any, cut: bool = False) -> AsyncIterator[bytes]:
                yield _part("complaint", orjson.dumps(body))
                for n in range(count):
                    yield _part("file", b"%PDF-1.7\n")[:-2]
                    digests[n].update(b"%PDF-1.7\n")
                    for _ in range(size // 65_536):
                        piece = os.urandom(65_536)
                        digests[n].update(piece)
                        yield piece
                    if cut:
                        raise ConnectionError
                    yield b"\r\n"
                yield END

            warm = body | {"register_no": "MR-WARM"}
            small = _part("complaint", orjson.dumps(warm)) + FILE + END
            assert (await http.post(path, content=small, headers=headers)).status_code == 201
            before = _peak(server.pid)
            whole = [hashlib.sha256() for _ in range(3)]
            taken = await http.post(path, content=scans(3, 20 * 1024**2, *whole), headers=headers)
            assert taken.status_code == 201, taken.text
            async with db.reading() as tx:
                kept = await store.attachment.of_complaint(tx, taken.json()["id"])
            assert [row.sha256 for row in kept] == [one.hexdigest() for one in whole]
            assert sum(row.size for row in kept) > 60 * 1024**2
            assert _peak(server.pid) - before < 32 * 1024, "kB"

            with pytest.raises(ConnectionError):
                await http.post(path, content=scans(1, 1024**2, hashlib.sha256(), cut=True), headers=headers)
            assert await eventually(lambda: b"request.client_gone" in log.read_bytes())
        assert b"request.failed" not in log.read_bytes()
        assert b"Traceback" not in log.read_bytes()
        async with db.reading() as tx:
            assert await store.attachment.unclaimed(tx, utcnow() + timedelta(days=1), 10) == []
    finally:
        server.terminate()
        await server.wait()
        await db.close()


def _peak(pid: int) -> int:
    """The most memory that a process has held, in kB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
