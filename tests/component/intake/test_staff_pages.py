"""Pages of those who work with complaints: whoever may finds a person, reads them, writes to them and takes them in;
nobody else does, each reading is audited, and who they are stands nowhere but on the page."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from services.intake.store.complaint import Progress
from services.intake.usecases import privacy
from tests.component.intake.staff import hear, signed_in

Make = Callable[..., dict[str, Any]]
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
PERSON = {
    "name": "CHAN Tai-man, Peter",
    "phone": "9123 4567",
    "email": "Tai.Man@marker.example",
    "customer_no": "C-778819",
}
WAYS = {
    "customer_no": "c-778819",
    "phone": "+852 9123 4567",
    "email": " tai.man@MARKER.example",
    "name": "peter Chan",
}


async def audited(desk: Any, action: str) -> list[dict[str, Any]]:
    return [row for row in await desk.rows("SELECT * FROM audit ORDER BY seq") if row["action"] == action]


async def test_a_person_is_found_however_it_is_written_and_stands_in_no_log_and_no_address(
    desk: Any, complaint: Make, everything_logged: io.StringIO
) -> None:
    found = (await desk.post(complaint(complainant=PERSON))).json()["reference"]
    other = (await desk.post(complaint(complainant={"name": "Chan Siu Ming", "phone": "2345 6789"}))).json()[
        "reference"
    ]
    await hear(desk)
    async with signed_in(desk, "officer") as browser:
        answers = {by: await browser.send("/search", "/search", by=by, text=text) for by, text in WAYS.items()}
    for by, answer in answers.items():
        assert answer.status_code == 200
        assert found in answer.text, by
        assert other not in answer.text, by
    entries = await audited(desk, "person.searched")
    assert [entry["detail"] for entry in entries] == [f'{{"by":"{by}","found":1}}' for by in WAYS]
    assert {entry["actor"] for entry in entries} == {f"key:{await key_of(desk, 'officer')}"}
    written = [everything_logged.getvalue(), *browser.asked, *map(str, entries)]
    written += [str(answer.headers) for answer in answers.values()]
    for part in ("778819", "9123", "4567", "marker", "chan", "peter"):
        assert not [line for line in written if part in line.lower()]


async def key_of(desk: Any, who: str) -> str:
    return str(await desk.scalar(f"SELECT id FROM api_key WHERE name = '{who}'"))


@SQLITE
async def test_a_person_of_whom_nothing_but_a_name_is_known_is_found_until_they_are_erased(
    desk: Any, complaint: Make
) -> None:
    made = (await desk.post(complaint(complainant={"name": "陳大文"}))).json()
    await desk.post(complaint(complainant={"anonymous": True}))
    await hear(desk)
    async with signed_in(desk, "agent") as browser:
        assert made["reference"] in (await browser.send("/search", "/search", by="name", text="大文 陈")).text
        for by, text in (("name", "陳"), ("name", "Chan"), ("phone", "12"), ("email", "chan"), ("customer_no", "")):
            refused = await browser.send("/search", "/search", by=by, text=text)
            assert refused.status_code == 422, (by, text)
        async with desk.db.transaction() as tx:
            tx.add(Progress(complaint_id=made["id"], status="closed", deadlines="[]", updated_at=desk.now))
            await tx.flush()
            await privacy.erase(tx, made["id"], ground="request", actor="test", now=desk.now)
        assert made["reference"] not in (await browser.send("/search", "/search", by="name", text="陳大文")).text
        assert "erased" in await browser.see(f"/complaints/{made['id']}")
    assert await desk.scalar("SELECT count(*) FROM name_part") == 0


@SQLITE
async def test_who_may_search_for_persons_and_how_often(start: Any, migrated: Any, complaint: Make) -> None:
    desk = await start(migrated("intake"), settings={"rate_limit_searches": "3/minute"})
    made = (await desk.post(complaint())).json()
    for who in ("manager", "admin"):
        async with signed_in(desk, who) as browser:
            assert "C-000001" not in await browser.see("/search")
            assert (await browser.post("/search", by="customer_no", text="C-000001")).status_code == 403
            seen = await browser.see(f"/search?reference={made['reference'].lower().replace('-', ' ')}")
            assert made["reference"] in seen, "how it stands is no secret to staff"
            assert (await browser.get(f"/complaints/{made['id']}")).status_code == 403
            assert (await browser.get(f"/parts/complaints/{made['id']}")).status_code == 403
    async with signed_in(desk, "auditor") as browser:
        there = await browser.get(f"/search?reference={made['reference']}")
        assert (there.status_code, there.headers["location"]) == (303, f"/complaints/{made['id']}")
        assert "No complaint has this reference" in await browser.see("/search?reference=261123-0000-00000")
        codes = [(await browser.post("/search", by="customer_no", text="x")).status_code for _ in range(4)]
        assert codes == [200, 200, 200, 429]
    assert (await desk.http.post("/search", data={"by": "name", "text": "a b"})).status_code == 401


async def test_a_complaint_is_read_answered_and_linked_on_its_page(desk: Any, complaint: Make) -> None:
    told = {"narrative": "On 20 November my card was charged HK$1,280.50 twice.", "product": "credit_card"}
    amount = {"value": "1280.50", "currency": "HKD"}
    first = (await desk.post(complaint(**told, amount=amount))).json()
    id = (await desk.post(complaint(**told, amount=amount, channel="email"))).json()["id"]
    await hear(desk)
    page = f"/complaints/{id}"
    async with signed_in(desk, "officer") as browser:
        seen = await browser.see(page)
        assert "Chan Example" in seen
        assert "charged HK$1,280.50 twice" in seen
        assert first["reference"] in seen
        for _ in range(2):
            sent = await browser.send(page, f"{page}/messages", key="k1", message="We are <b>looking</b> into it.")
            assert (sent.status_code, sent.headers["location"]) == (303, f"{page}?kept=1#messages")
        changed = await browser.send(page, f"{page}/messages", key="k1", message="Other words")
        assert changed.status_code == 422
        assert "Other words</textarea>" in changed.text, "nothing that was typed is lost"
        assert 'name="key" value="k1"' not in changed.text, "sent again, it is another message"
        assert (await browser.send(page, f"{page}/messages", key="k2", message="")).status_code == 422
        link = str(await desk.scalar("SELECT id FROM link"))
        decided = await browser.send(page, f"{page}/links/{link}/confirm", expected="suggested")
        assert decided.status_code == 303
        stale = await browser.send(page, f"{page}/links/{link}/reject", expected="suggested")
        assert stale.status_code == 422
        assert "Somebody has decided on this in the meantime" in stale.text
    assert await desk.scalar("SELECT state FROM link") == "confirmed"
    assert await desk.scalar("SELECT count(*) FROM message") == 1
    async with signed_in(desk, "auditor") as browser:
        seen = await browser.see(page)
        assert "We are &lt;b&gt;looking&lt;/b&gt; into it." in seen
        assert "<textarea" not in seen
        assert (await browser.post(f"{page}/messages", key="k3", message="x")).status_code == 403
        assert (await browser.post(f"{page}/links/{link}/reset", expected="confirmed")).status_code == 403
    readers = {row["actor"] for row in await audited(desk, "complaint.read") if row["subject"] == id}
    assert len(readers) == 2
    assert len(await audited(desk, "messages.read")) >= 2


@SQLITE
async def test_the_part_for_the_case_leads_back_to_it_and_nowhere_else(desk: Any, complaint: Make) -> None:
    id = (await desk.post(complaint())).json()["id"]
    async with signed_in(desk, "supervisor") as browser:
        part = await browser.see(f"/parts/complaints/{id}?back=/routing/cases/{id}")
        assert "<html" not in part
        assert "Chan Example" in part
        assert "The machine kept my card" in part
        assert f'name="back" value="/routing/cases/{id}"' in part
        sent = await browser.send(
            f"/complaints/{id}", f"/complaints/{id}/messages", message="Hello", back=f"/routing/cases/{id}"
        )
        assert sent.headers["location"] == f"/routing/cases/{id}"
        assert 'name="back"' not in await browser.see(f"/parts/complaints/{id}?back=https://evil.example/")
        away = await browser.send(
            f"/complaints/{id}", f"/complaints/{id}/messages", message="Hi", back="//evil.example"
        )
        assert away.headers["location"].startswith(f"/complaints/{id}?")
    assert len(await audited(desk, "complaint.read")) == 4


async def test_a_complaint_taken_in_twice_is_counted_once(desk: Any) -> None:
    form = {
        "channel": "letter",
        "key": "k" * 32,
        "received_on": "2026-11-20",
        "register_no": "MR-1",
        "narrative": "They closed my account.",
        "name": "Lee Example",
        "amount": "1,200.50",
        "currency": "HKD",
        "occurred_on": "2026-11-01",
    }
    async with signed_in(desk, "agent") as browser:
        answers = [await browser.send("/take?channel=letter", "/take", **form) for _ in range(2)]
        assert [a.status_code for a in answers] == [201, 201]
        reference = str(await desk.scalar("SELECT reference FROM complaint"))
        assert all(f'<dd class="large">{reference}</dd>' in a.text for a in answers)
        assert reference.startswith("261120"), "paper counts from the day on which it came"
        assert await desk.scalar("SELECT count(*) FROM complaint") == 1
        changed = await browser.send("/take?channel=letter", "/take", **(form | {"name": "Lei Example"}))
        assert changed.status_code == 422
        assert 'value="Lei Example"' in changed.text
        for sent, fields in (
            ({"name": "Lee", "phone": "nobody", "amount": "much", "occurred_on": "2027-01-01"}, ("phone", "amount")),
            ({"name": "Lee", "occurred_on": "2027-01-01"}, ("occurred_on",)),
            ({"phone": "9123 4567"}, ("name",)),
        ):
            wrong = await browser.send("/take", "/take", channel="phone", narrative="So it was.", **sent)
            assert wrong.status_code == 422
            assert all(f'id="take-{field}-wrong"' in wrong.text for field in fields), fields
            assert "So it was.</textarea>" in wrong.text
    assert await desk.scalar("SELECT count(*) FROM complaint") == 1
    for who in ("officer", "supervisor", "auditor", "admin", "manager"):
        async with signed_in(desk, who) as browser:
            assert (await browser.get("/take")).status_code == 403
            assert (await browser.post("/take", **form)).status_code == 403


@SQLITE
async def test_every_channel_of_the_form_is_taken(desk: Any) -> None:
    own = {
        "phone": {"call_id": "c-1"},
        "branch": {"branch": "HK-012", "staff": "S-1", "form_no": "F-1"},
        "regulator": {"body": "HKMA", "matter": "CB/1", "received_on": "2026-11-16", "letter_text": "We refer."},
        "email": {"channel_ref": "m-1"},
        "social": {},
    }
    async with signed_in(desk, "agent") as browser:
        for channel, more in own.items():
            who = {"anonymous": "yes"} if channel == "social" else {"name": "Lee Example"}
            form = {"channel": channel, "narrative": "So it was.", **who, **more}
            answer = await browser.send(f"/take?channel={channel}", "/take", **form)
            assert answer.status_code == 201, answer.text
    assert {row["channel"] for row in await desk.rows("SELECT channel FROM complaint")} == set(own)


@SQLITE
async def test_a_file_is_opened_by_a_link_that_is_made_with_the_click(desk: Any, complaint: Make) -> None:
    headers = desk.headers("any") | {"content-type": "text/plain", "x-file-name": "bill.txt"}
    ticket = (await desk.http.post("/v1/uploads", content=b"One, two", headers=headers)).json()["ticket"]
    id = (await desk.post(complaint(attachments=[ticket]))).json()["id"]
    await desk.app.state.files.scan()
    async with signed_in(desk, "officer") as browser:
        page = await browser.see(f"/complaints/{id}")
        assert "bill.txt" in page
        file = str(await desk.scalar("SELECT id FROM attachment"))
        there = await browser.get(f"/complaints/{id}/files/{file}")
        assert there.status_code == 303
        assert (await browser.get(there.headers["location"])).content == b"One, two"
    async with signed_in(desk, "admin") as browser:
        assert (await browser.get(f"/complaints/{id}/files/{file}")).status_code == 403
    [opened] = await audited(desk, "file.opened")
    assert opened["subject"] == id
