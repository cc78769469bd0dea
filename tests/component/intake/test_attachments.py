"""Files: streamed, sealed, looked at, given out only by a link that soon ends, and never lost or mixed up."""

import asyncio
import hashlib
import io
import os
import sys
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.infra.ports import free_port
from services.intake import store
from services.intake.settings import IntakeSettings, make_files
from services.intake.usecases import attachment as usecases
from services.intake.usecases.complaint import Desk
from shared.clock import utcnow
from shared.db import Database
from shared.migrations import migrate
from shared.security import keys
from shared.security.crypto import MasterKeys
from shared.security.keys import NewKey

FOLDER = Path(__file__).parents[3] / "services" / "intake" / "migrations"

PDF = b"%PDF-1.7\n" + b"a scan of a letter " * 20_000
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
# in two halves, so that no scanner takes this file for one that is infected
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STAND" + b"ARD-ANTIVIRUS-TEST-FILE!$H+H*"


class Clamd:
    """As much of ClamAV's daemon as INSTREAM needs: finds EICAR, by the stream's content."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"{host}:{port}"

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
        content = b""
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            content += await reader.readexactly(size)
        self.seen.append(len(content))
        writer.write(b"stream: Eicar-Test-Signature FOUND\0" if EICAR in content else b"stream: OK\0")
        await writer.drain()
        writer.close()


@pytest.fixture
async def clamd() -> AsyncIterator[Clamd]:
    one = Clamd()
    one.address = await one.start()  # type: ignore[attr-defined]
    yield one
    await one.stop()


async def _upload(desk: Any, content: Any = PDF, *, name: str = "scan.pdf", kind: str = "application/pdf") -> Any:
    headers = desk.headers("any") | {"Content-Type": kind, "X-File-Name": name}
    return await desk.http.post("/v1/uploads", content=content, headers=headers)


async def _parts(content: bytes, size: int = 10_000) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


def _objects(desk: Any) -> list[Path]:
    return [p for p in (desk.app.state.settings.home / "attachments").rglob("*") if p.is_file()]


async def _list(desk: Any, id: str) -> list[dict[str, Any]]:
    answer = await desk.get(f"/v1/complaints/{id}/attachments")
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_a_file_comes_back_as_it_went_and_lies_sealed(desk: Any, complaint: Any) -> None:
    uploaded = await _upload(desk, _parts(PDF), name="%E6%94%B6%E6%93%9A.pdf")
    assert uploaded.status_code == 201, uploaded.text
    told = uploaded.json()
    assert (told["name"], told["size"], told["state"]) == ("收據.pdf", len(PDF), "quarantined")
    assert told["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert told["url"] is None, "nothing is given out before it was looked at"
    taken = (await desk.post(complaint(attachments=[told["ticket"]]), key="k")).json()
    await desk.app.state.files.scan()
    (listed,) = await _list(desk, taken["id"])
    assert listed["state"] == "clean"
    answer = await desk.http.get(listed["url"].removeprefix(desk.app.state.public_url))
    assert answer.content == PDF
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''%E6%94%B6%E6%93%9A.pdf"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    (lying,) = _objects(desk)
    assert b"a scan of a letter" not in lying.read_bytes()
    (row,) = await desk.rows("SELECT * FROM attachment")
    assert "收據" not in str(row)
    assert "scan" not in str(row["uploaded_by"])


async def test_a_ticket_is_good_once_and_a_repeat_answers_the_same(desk: Any, complaint: Any) -> None:
    ticket = (await _upload(desk)).json()["ticket"]
    body = complaint(attachments=[ticket])
    first, again = [(await desk.post(body, key="k")) for _ in range(2)]
    assert (first.status_code, again.json()) == (201, first.json())
    other = await desk.post(complaint(narrative="Another", attachments=[ticket]), key="k-2")
    assert (other.status_code, other.json()["code"]) == (422, "ticket_unknown")
    assert other.json()["errors"][0]["pointer"] == "/attachments/0"
    assert await desk.scalar("SELECT count(*) FROM complaint") == 1, "nothing is kept of what was refused"
    assert len(await _list(desk, first.json()["id"])) == 1


async def test_staff_add_files_to_a_complaint(desk: Any, complaint: Any) -> None:
    id = (await desk.post(complaint())).json()["id"]
    ticket = (await _upload(desk)).json()["ticket"]
    path = f"/v1/complaints/{id}/attachments"
    added = await desk.http.post(path, json={"attachments": [ticket]}, headers=desk.headers("officer"))
    assert (added.status_code, len(added.json()["items"])) == (200, 1)
    again = await desk.http.post(path, json={"attachments": [ticket]}, headers=desk.headers("officer"))
    assert again.json()["code"] == "ticket_unknown"
    for who in ("manager", "phone"):
        assert (await desk.get(path, who=who)).status_code == 403


def _zip(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, content in members.items():
            file.writestr(name.replace("__", "/"), content)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"MZ\x90\0" + bytes(100), "application/pdf"),
        (b"", "application/pdf"),
        (_zip(word__document_xml=b"\0" * 300_000_000), DOCX),
        (_zip(evil__exe=b"x"), DOCX),
        (_zip(word__document_xml=b"x")[:-30], DOCX),
        (b"text" * 30_000 + b"\0\0", "text/plain"),
    ],
    ids=["a program", "nothing", "a bomb", "no document", "cut off", "no text in the end"],
)
async def test_what_is_refused_leaves_nothing_behind(desk: Any, content: bytes, kind: str) -> None:
    refused = await _upload(desk, content, kind=kind)
    assert (refused.status_code, refused.json()["code"]) == (422, "file_refused")
    assert _objects(desk) == []
    assert await desk.scalar("SELECT count(*) FROM attachment") == 0


async def test_a_document_is_looked_into_and_taken(desk: Any) -> None:
    assert (await _upload(desk, _zip(word__document_xml=b"<w/>" * 50_000), kind=DOCX)).status_code == 201


async def test_a_name_leads_nowhere(desk: Any) -> None:
    told = (await _upload(desk, name="..%2F..%2Fetc%2Fpasswd")).json()
    assert told["name"] == "passwd"
    assert {p.parent.parent for p in _objects(desk)} == {desk.app.state.settings.home / "attachments"}


async def test_more_than_the_limit_is_refused_as_it_comes(start: Any, migrated: Callable[[str], str]) -> None:
    desk = await start(migrated("intake"), settings={"attachment_max": 100_000})
    for content in (PDF, _parts(PDF)):
        refused = await _upload(desk, content)
        assert (refused.status_code, refused.json()["code"]) == (413, "payload_too_large")
    assert _objects(desk) == []
    usual = await desk.post(raw=b" " * 300_000)
    assert usual.status_code == 413, "everywhere else the usual limit holds"


async def test_an_upload_that_is_cut_off_leaves_nothing(desk: Any) -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield PDF
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await desk.app.state.files.take(cut(), "x.pdf", "application/pdf", uploaded_by="test")
    assert _objects(desk) == []
    assert await desk.scalar("SELECT count(*) FROM attachment") == 0


async def test_an_infected_file_is_never_given_out(desk: Any, complaint: Any, clamd: Any) -> None:
    settings = desk.app.state.settings.model_copy(update={"clamav": clamd.address})
    files = make_files(settings, desk.db, desk.app.state.desk, lambda: desk.now)
    tickets = [
        (await _upload(desk, c, kind=k)).json()["ticket"] for c, k in ((EICAR, "text/plain"), (PDF, "application/pdf"))
    ]
    id = (await desk.post(complaint(attachments=tickets))).json()["id"]
    await files.scan()
    infected, clean = await _list(desk, id)
    assert (infected["state"], infected["url"]) == ("infected", None)
    assert (clean["state"], sorted(clamd.seen)) == ("clean", sorted((len(EICAR), len(PDF))))
    assert len(_objects(desk)) == 1, "what is infected is not kept"
    assert {r["verdict"] for r in await desk.rows("SELECT verdict FROM attachment")} == {
        "Eicar-Test-Signature",
        "scanned",
    }


async def test_while_the_scanner_is_away_files_wait_in_quarantine(desk: Any, complaint: Any, clamd: Any) -> None:
    settings = desk.app.state.settings.model_copy(update={"clamav": "127.0.0.1:1"})
    away = make_files(settings, desk.db, desk.app.state.desk, lambda: desk.now)
    id = (await desk.post(complaint(attachments=[(await _upload(desk)).json()["ticket"]]))).json()["id"]
    await away.scan()
    assert [a["state"] for a in await _list(desk, id)] == ["quarantined"]
    back = settings.model_copy(update={"clamav": clamd.address})
    await make_files(back, desk.db, desk.app.state.desk, lambda: desk.now).scan()
    assert [a["state"] for a in await _list(desk, id)] == ["clean"]


async def test_links_end_and_cannot_be_forged(desk: Any, complaint: Any) -> None:
    tickets = [(await _upload(desk, PDF + bytes([n]))).json()["ticket"] for n in (48, 49)]
    id = (await desk.post(complaint(attachments=tickets))).json()["id"]
    await desk.app.state.files.scan()
    one, other = [a["url"].removeprefix(desk.app.state.public_url) for a in await _list(desk, id)]
    assert (await desk.http.get(one)).status_code == 200
    path, query = one.split("?")
    for forged in (
        f"{path}?{other.split('?')[1]}",
        one[:-1] + ("0" if one[-1] != "0" else "1"),
        path,
        f"{path}?expires=99999999999&{query.split('&')[1]}",
        f"/v1/files/none?{query}",
    ):
        assert (await desk.http.get(forged)).status_code == 404, forged
    desk.now += usecases.LINK_FOR + timedelta(seconds=1)
    assert (await desk.http.get(one)).status_code == 404
    assert await desk.scalar("SELECT count(*) FROM audit WHERE action = 'file.downloaded'") == 1


async def test_what_nobody_claims_goes_after_a_day_and_what_is_erased_at_once(desk: Any, complaint: Any) -> None:
    await _upload(desk)
    id = (await desk.post(complaint(attachments=[(await _upload(desk)).json()["ticket"]]))).json()["id"]
    desk.now += timedelta(hours=25)
    await desk.app.state.files.sweep()
    assert len(_objects(desk)) == 1
    assert await desk.scalar("SELECT count(*) FROM attachment") == 1
    async with desk.db.transaction() as tx:
        tx.add(store.complaint.Progress(complaint_id=id, status="closed", deadlines="[]", updated_at=desk.now))
    erased = await desk.http.post(f"/v1/complaints/{id}/erasure", headers=desk.headers("supervisor"))
    assert erased.status_code == 200
    await desk.app.state.files.sweep()
    assert _objects(desk) == []
    assert [a["name"] for a in await _list(desk, id)] == [None]


async def test_rotation_wraps_file_keys_anew(desk: Any, complaint: Any) -> None:
    ticket = (await _upload(desk)).json()["ticket"]
    id = (await desk.post(complaint(attachments=[ticket]))).json()["id"]
    newer = MasterKeys({"k2": b"2" * 32, "k1": bytes(range(32))}, pseudonym_key=bytes(32))
    async with desk.db.transaction() as tx:
        assert await usecases.rewrap(tx, newer, 10) == 1
        assert await usecases.rewrap(tx, newer, 10) == 0
    desk.app.state.files._keys = newer
    await desk.app.state.files.scan()
    assert [a["name"] for a in await _list(desk, id)] == ["scan.pdf"]


async def test_200_mb_pass_through_little_memory(tmp_path: Path, eventually: Any) -> None:
    """Up and down through a real server, whose peak of memory is read from the system."""
    settings = IntakeSettings(home=tmp_path)
    await asyncio.to_thread(migrate, FOLDER, settings.database)
    db = Database("intake", settings.database, store.tables)
    async with db.transaction() as tx:
        new = NewKey("any", scopes=["complaints:write"])
        token = await keys.create(tx, store.tables, new, actor="test", now=utcnow())
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "services.intake.app:app", "--port", str(port)]
    server = await asyncio.create_subprocess_exec(
        *command, env=os.environ | {"REDRESS_HOME": str(tmp_path)}, stdout=asyncio.subprocess.DEVNULL, stderr=2
    )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:

            async def serves() -> bool:
                with suppress(httpx.TransportError):
                    return (await http.get("/health/live")).is_success
                return False

            assert await eventually(serves, within=30)
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/pdf"}
            await http.post("/v1/uploads", content=PDF, headers=headers)
            before = _peak(server.pid)
            size, whole = 200 * 1024**2, hashlib.sha256()

            async def content() -> AsyncIterator[bytes]:
                left, part = size, b"%PDF-1.7\n"
                while left:
                    part = (part + os.urandom(65_536))[: min(left, 65_536)]
                    whole.update(part)
                    left -= len(part)
                    yield part
                    part = b""

            told = await http.post("/v1/uploads", content=content(), headers=headers)
            assert (told.status_code, told.json()["size"]) == (201, size)
            assert told.json()["sha256"] == whole.hexdigest()
            files = make_files(settings, db, Desk(settings.master_keys(), settings.zone), utcnow)
            await files.scan()
            row = (await _clean(db))[told.json()["id"]]
            link = make_files(settings, db, Desk(settings.master_keys(), settings.zone), utcnow).view(
                row, public_url=""
            )
            back = hashlib.sha256()
            async with http.stream("GET", link["url"]) as answer:
                async for part in answer.aiter_bytes():
                    back.update(part)
            assert back.digest() == whole.digest()
            assert _peak(server.pid) - before < 32 * 1024, "kB"
    finally:
        server.terminate()
        await server.wait()
        await db.close()


async def _clean(db: Database) -> dict[str, store.attachment.Attachment]:
    async with db.reading() as tx:
        return {row.id: row for row in await store.attachment.in_state(tx, "clean", 10)}


def _peak(pid: int) -> int:
    """The most memory that a process has held, in kB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
