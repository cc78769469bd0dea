"""The complainant's side: messages both ways, withdrawal, rating, dispute; once each, sealed, and by token alone."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson
import pytest

from services.intake.consumers import progress
from services.intake.store.attachment import Attachment
from shared.bus import Message
from shared.cloudevents import Envelope, encode
from shared.events import (
    TOPICS,
    ClockMet,
    ClockStarted,
    ClockStep,
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintRouted,
    Event,
)
from shared.ids import uuid7
from shared.inbox import Consumer

Make = Callable[..., dict[str, Any]]
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
DUE = datetime(2026, 12, 23, 15, 59, 59, tzinfo=UTC)
NAME = "Chan Zzyzx"


class Followed:
    """A complaint, its token, and what can be done with both."""

    def __init__(self, desk: Any, receipt: dict[str, Any]) -> None:
        self.desk = desk
        self.id, self.reference = receipt["id"], receipt["reference"]
        self.token = receipt["tracking"]["token"]
        self.path = f"/v1/track/{self.reference}"

    async def look(self) -> dict[str, Any]:
        answer = await self.desk.http.get(self.path, headers={"X-Tracking-Token": self.token})
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    async def do(self, verb: str, body: Any, *, token: str | None = None, key: str | None = None) -> httpx.Response:
        headers = {"X-Tracking-Token": self.token if token is None else token}
        if key is not None:
            headers["Idempotency-Key"] = key
        answer: httpx.Response = await self.desk.http.post(f"{self.path}/{verb}", json=body, headers=headers)
        return answer

    async def hear(self, *events: Event) -> None:
        messages = []
        for event in events:
            envelope = Envelope(uuid7(), event.source, event.type, event.complaint_id, AT, event)
            topic = TOPICS[event.source.rsplit("/", 1)[-1]]
            messages.append(Message(topic, event.complaint_id, encode(envelope).encode()))
        await Consumer(self.desk.db, progress.handle, progress.PART.types, lambda: AT).process(messages)

    async def decide(self, outcome: str = "rejected", *, at: datetime = AT, close: bool = False) -> None:
        found: list[Event] = [
            ComplaintRouted(complaint_id=self.id, department="cards", reason="rule", routed_at=at),
            ComplaintAssigned(complaint_id=self.id, assignee="staff:7", assigned_at=at),
            ComplaintResponded(complaint_id=self.id, responded_at=at, final=True),
            ComplaintResolved(complaint_id=self.id, outcome=outcome, root_cause="system", resolved_at=at),  # type: ignore[arg-type]
        ]
        if close:
            found.append(ComplaintClosed(complaint_id=self.id, closed_at=at))
        await self.hear(*found)

    async def events(self, name: str) -> list[dict[str, Any]]:
        query = f"SELECT payload FROM outbox WHERE type = 'com.redress.complaint.{name}.v1' ORDER BY seq"
        return [orjson.loads(row["payload"])["data"] for row in await self.desk.rows(query)]

    async def audited(self) -> list[str]:
        return [row["action"] for row in await self.desk.rows("SELECT action FROM audit ORDER BY seq")]


Follow = Callable[..., Awaitable[Followed]]


@pytest.fixture
def follow(desk: Any, complaint: Make) -> Follow:
    async def one(**changes: Any) -> Followed:
        person = {"name": NAME, "phone": "+852 9876 5432", "customer_no": "C-000001"}
        taken = await desk.post(complaint(**{"complainant": person} | changes))
        assert taken.status_code == 201, taken.text
        return Followed(desk, taken.json())

    return one


# --- messages ---


async def test_words_go_both_ways_and_are_told_redacted(desk: Any, follow: Follow) -> None:
    mine = await follow()
    sent = await mine.do("messages", {"text": f"{NAME} here, ring me on 9876 5432."}, key="k1")
    assert sent.status_code == 201
    desk.now += timedelta(minutes=1)
    answer = await desk.http.post(
        f"/v1/complaints/{mine.id}/messages",
        json={"subject": "Your fee", "text": f"Dear {NAME}, we look into it."},
        headers=desk.headers("officer", "k1"),
    )
    assert answer.status_code == 201

    shown = (await mine.look())["messages"]
    assert [(m["direction"], m["author"], m["subject"]) for m in shown] == [
        ("in", "complainant", None),
        ("out", "staff", "Your fee"),
    ]
    assert shown[0] == sent.json()
    assert shown[0]["text"] == f"{NAME} here, ring me on 9876 5432."

    told = await mine.events("message_added")
    assert [t["direction"] for t in told] == ["in", "out"]
    assert told[0]["text"] == "[person] here, ring me on [phone]."
    assert "Zzyzx" not in str(told)
    assert (await mine.audited())[-2:] == ["message.added", "message.added"]
    assert await desk.scalar("SELECT actor FROM audit ORDER BY seq DESC LIMIT 1") != "staff", "which one is known"


async def test_a_message_sent_again_under_its_key_is_one_message(follow: Follow) -> None:
    mine, other = await follow(), await follow()
    body = {"text": "Is there news?"}
    answers = await asyncio.gather(*(mine.do("messages", body, key="k1") for _ in range(5)))
    assert {a.status_code for a in answers} == {201}
    assert len({a.json()["id"] for a in answers}) == 1
    assert len((await mine.look())["messages"]) == len(await mine.events("message_added")) == 1

    reused = await mine.do("messages", {"text": "Something else"}, key="k1")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert (await other.do("messages", body, key="k1")).status_code == 201, "another complaint's key is another's"
    assert (await mine.do("messages", body)).status_code == 201
    assert len((await mine.look())["messages"]) == 2


@SQLITE
@pytest.mark.parametrize(
    "body", [{}, {"text": ""}, {"text": " \n"}, {"text": "a\x00"}, {"text": "x" * 10_001}, {"text": "x", "more": 1}]
)
async def test_a_message_that_is_none_is_refused(follow: Follow, body: dict[str, Any]) -> None:
    mine = await follow()
    assert (await mine.do("messages", body)).status_code == 422
    assert await mine.events("message_added") == []


async def test_staff_page_through_the_correspondence_and_that_is_audited(desk: Any, follow: Follow) -> None:
    mine = await follow()
    for n in range(5):
        await mine.do("messages", {"text": f"message {n}"})
    path, read = f"/v1/complaints/{mine.id}/messages?limit=2", []
    cursor: str | None = ""
    while cursor is not None:
        page = (await desk.get(f"{path}&cursor={cursor}")).json()
        read += [m["text"] for m in page["items"]]
        cursor = page["next"]
    assert read == [f"message {n}" for n in range(5)]
    assert (await mine.audited()).count("messages.read") == 3
    assert (await desk.get(f"/v1/complaints/{mine.id}")).json()["message_count"] == 5


@SQLITE
async def test_only_those_who_may_read_the_person_read_the_words(desk: Any, follow: Follow) -> None:
    mine = await follow()
    path = f"/v1/complaints/{mine.id}/messages"
    readers = [who for who in desk.tokens if (await desk.get(path, who=who)).status_code == 200]
    assert readers == ["agent", "officer", "supervisor", "auditor"]
    writers = []
    for who in desk.tokens:
        answer = await desk.http.post(path, json={"text": "hello"}, headers=desk.headers(who))
        if answer.status_code == 201:
            writers.append(who)
    assert writers == ["agent", "officer", "supervisor"]
    assert (await desk.http.get(path, headers={"X-Tracking-Token": mine.token})).status_code == 401
    assert (await desk.get("/v1/complaints/none/messages")).status_code == 404


# --- withdrawal, rating, dispute ---


async def test_withdrawn_twice_it_is_withdrawn_once(desk: Any, follow: Follow) -> None:
    mine = await follow()
    first = await mine.do("withdraw", {"reason": f"{NAME} was paid back."})
    desk.now += timedelta(hours=1)
    again = await asyncio.gather(*(mine.do("withdraw", {"reason": "Another reason"}) for _ in range(3)))
    assert first.status_code == 200
    assert all(a.json() == first.json() for a in again)
    (told,) = await mine.events("withdrawn")
    assert told["reason"] == "[person] was paid back."
    assert (await mine.audited()).count("complaint.withdrawn") == 1
    seen = await mine.look()
    assert seen["withdrawn_at"] == "2026-11-23T10:00:00Z"
    assert seen["may"] == ["write"]


async def test_what_is_decided_is_no_longer_withdrawn_but_rated_and_disputed(follow: Follow) -> None:
    mine = await follow(jurisdiction="hk")
    for verb, body, code in (
        ("rate", {"overall": 3}, "not_rateable"),
        ("dispute", {"grounds": "No."}, "not_disputable"),
    ):
        early = await mine.do(verb, body)
        assert (early.status_code, early.json()["code"]) == (409, code)
    await mine.decide()
    seen = await mine.look()
    assert (seen["status"], seen["outcome"]) == ("resolved", "rejected")
    assert seen["may"] == ["write", "rate", "dispute"]
    assert [r["code"] for r in seen["rights"]] == ["internal_review", "hkma", "fdrc"]
    late = await mine.do("withdraw", {})
    assert (late.status_code, late.json()["code"]) == (409, "not_withdrawable")
    assert await mine.events("withdrawn") == []


async def test_a_rating_may_be_changed_and_the_same_again_is_no_news(desk: Any, follow: Follow) -> None:
    mine = await follow()
    await mine.decide(close=True)
    given = {"overall": 2, "staff": 5, "handling": 1, "comment": f"{NAME} waited."}
    first = await mine.do("rate", given)
    assert first.json() == given | {"product": None, "at": "2026-11-23T10:00:00Z"}
    desk.now += timedelta(days=1)
    assert (await mine.do("rate", given)).json() == first.json()
    await mine.do("rate", {"overall": 4})
    assert (await mine.look())["rating"] == {
        "overall": 4,
        "staff": None,
        "product": None,
        "handling": None,
        "comment": None,
        "at": "2026-11-24T10:00:00Z",
    }
    told = await mine.events("rated")
    assert [(t["overall"], t.get("comment")) for t in told] == [(2, "[person] waited."), (4, None)]
    for wrong in ({}, {"overall": 0}, {"overall": 6}, {"overall": None}, {"overall": 3, "staff": 9}):
        assert (await mine.do("rate", wrong)).status_code == 422


async def test_an_outcome_is_disputed_once_and_a_new_one_anew(desk: Any, follow: Follow) -> None:
    mine = await follow(jurisdiction="uk")
    await mine.decide()
    desk.now = AT + timedelta(days=1)
    answers = await asyncio.gather(*(mine.do("dispute", {"grounds": f"{NAME} paid."}) for _ in range(3)))
    assert {a.status_code for a in answers} == {200}
    assert len({a.json()["id"] for a in answers}) == 1
    other = await mine.do("dispute", {"grounds": "And another thing."})
    assert (other.status_code, other.json()["code"]) == (409, "already_disputed")
    (told,) = await mine.events("disputed")
    assert (told["outcome"], told["grounds"]) == ("rejected", "[person] paid.")
    seen = await mine.look()
    assert seen["may"] == ["write", "rate"]
    assert [(r["code"], r["until"], r["over"]) for r in seen["rights"]] == [("fos", "2027-05-24", False)]

    await mine.decide("partly_upheld", at=AT + timedelta(days=20))
    desk.now = AT + timedelta(days=21)
    assert "dispute" in (await mine.look())["may"]
    assert (await mine.do("dispute", {"grounds": "Still too little."})).status_code == 200
    assert [t["outcome"] for t in await mine.events("disputed")] == ["rejected", "partly_upheld"]
    assert [d["outcome"] for d in (await mine.look())["disputes"]] == ["rejected", "partly_upheld"]


@SQLITE
async def test_a_deadline_shows_late_as_soon_as_it_is(desk: Any, follow: Follow) -> None:
    mine = await follow()
    await mine.hear(_clock(mine.id))
    assert [d["state"] for d in (await mine.look())["deadlines"]] == ["running", "running"]
    desk.now = DUE + timedelta(seconds=1)
    assert [d["state"] for d in (await mine.look())["deadlines"]] == ["missed", "missed"]


def _clock(id: str) -> ClockStarted:
    steps = (ClockStep(name="acknowledge", due_at=DUE - timedelta(days=23)), ClockStep(name="final", due_at=DUE))
    return ClockStarted(complaint_id=id, clock_id="c", pack="hk", pack_version="1", started_at=AT, steps=steps)


@SQLITE
async def test_files_are_listed_with_what_became_of_them(desk: Any, visitor: "Visitor") -> None:
    states = ("quarantined", "clean", "infected", "refused", "erased")
    async with desk.db.transaction() as tx:
        for n, state in enumerate(states):
            tx.add(
                Attachment(
                    id=uuid7(),
                    complaint_id=visitor.mine.id,
                    uploaded_by="officer-1",
                    media_type="application/pdf",
                    size=1200 * (n + 1),
                    sha256="0" * 64,
                    state=state,
                    created_at=AT,
                    key_id="k1",
                    wrapped_key=b"",
                    sealed_name=b"",
                )
            )
    seen = (await visitor.mine.look())["attachments"]
    assert [(f["state"], f["media_type"]) for f in seen] == [(state, "application/pdf") for state in states]
    await visitor.enter()
    found = re.findall(r"<li> <span>(.*?)</span> <span class=\"soft\">(.*?)</span></li>", await visitor.page())
    assert found == [
        ("PDF, 1 kB", "is being checked"),
        ("PDF, 2 kB", "received"),
        ("PDF, 4 kB", "not taken: it holds a virus"),
        ("PDF, 5 kB", "not taken: files of this kind cannot be"),
    ]


# --- who may ---


@SQLITE
async def test_without_the_token_nothing_is_done_and_nothing_told(desk: Any, follow: Follow) -> None:
    mine, other = await follow(), await follow()
    await mine.decide()
    bodies = {
        "messages": {"text": "hello"},
        "withdraw": {},
        "rate": {"overall": 1},
        "dispute": {"grounds": "No."},
    }
    for verb, body in bodies.items():
        for token in ("", "wrong", other.token, mine.token[:-1]):
            answer = await mine.do(verb, body, token=token)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        in_address = await desk.http.post(f"{mine.path}/{verb}?token={mine.token}", json=body)
        assert in_address.status_code == 404, "what changes something takes no token from an address"
    for name in ("message_added", "withdrawn", "rated", "disputed"):
        assert await mine.events(name) == []


@SQLITE
async def test_what_people_wrote_is_sealed_and_gone_once_erased(desk: Any, follow: Follow) -> None:
    mine = await follow()
    await mine.do("messages", {"text": "MARKER-message", "subject": "MARKER-subject"})
    await mine.decide(close=True)
    await mine.do("rate", {"overall": 1, "comment": "MARKER-comment"})
    await mine.do("dispute", {"grounds": "MARKER-grounds"})
    for table in ("message", "rating", "dispute"):
        assert "MARKER" not in str(await desk.rows(f"SELECT * FROM {table}"))
    erased = await desk.http.post(f"/v1/complaints/{mine.id}/erasure", headers=desk.headers("supervisor"))
    assert erased.status_code == 200
    assert "MARKER" not in str(await desk.rows("SELECT payload FROM outbox"))
    assert (await mine.do("messages", {"text": "hello"})).status_code == 404
    path = f"/v1/complaints/{mine.id}/messages"
    assert (await desk.get(path)).status_code == 410
    assert (await desk.http.post(path, json={"text": "x"}, headers=desk.headers("officer"))).status_code == 410


# --- the page, without a browser ---


class Visitor:
    """Somebody on the pages: keeps cookies as a browser does, follows nothing."""

    def __init__(self, mine: Followed) -> None:
        self.mine = mine
        transport = httpx.ASGITransport(app=mine.desk.app, raise_app_exceptions=False)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://intake", headers={"Accept": "text/html"})
        self.http.headers["Accept-Language"] = "en"
        self.path = f"/track/{mine.reference}"

    async def enter(self, *, token: str | None = None, **headers: str) -> httpx.Response:
        form = {"reference": self.mine.reference, "token": token or self.mine.token}
        return await self.http.post("/track", data=form, headers=headers)

    async def page(self, query: str = "") -> str:
        answer = await self.http.get(self.path + query)
        assert answer.status_code == 200
        return answer.text

    async def send(self, verb: str, **form: str) -> httpx.Response:
        return await self.http.post(f"{self.path}/{verb}", data=form)


@pytest.fixture
async def visitor(follow: Follow) -> Visitor:
    return Visitor(await follow())


@SQLITE
async def test_the_token_travels_in_a_cookie_of_this_complaint_alone(visitor: Visitor) -> None:
    assert "Access code" in await visitor.page()
    entered = await visitor.enter()
    assert (entered.status_code, entered.headers["location"]) == (303, visitor.path)
    assert visitor.mine.token not in entered.headers["location"]
    cookie = entered.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", f"path={visitor.path.lower()}", "max-age="))
    page = await visitor.page()
    assert "We have received your complaint" in page
    assert visitor.mine.token not in page
    left = await visitor.send("leave")
    assert left.headers["location"] == "/track"
    assert "Access code" in await visitor.page()


@SQLITE
async def test_a_reference_in_the_address_is_read_as_people_write_it(visitor: Visitor) -> None:
    await visitor.enter()
    answer = await visitor.http.get(visitor.path.lower().replace("-", ""))
    assert (answer.status_code, answer.headers["location"]) == (303, visitor.path)


@SQLITE
async def test_a_wrong_token_gets_the_form_again(visitor: Visitor) -> None:
    for token in ("wrong", "x" * 5000, "é"):
        answer = await visitor.enter(token=token)
        assert answer.status_code == 404
        assert "We find no complaint" in answer.text
        assert "set-cookie" not in answer.headers
    visitor.http.cookies.set("redress_track", "wrong", path=visitor.path)
    answer = await visitor.http.get(visitor.path)
    assert answer.status_code == 404
    assert "We find no complaint" in answer.text


@SQLITE
async def test_the_forms_work_without_script(visitor: Visitor) -> None:
    mine = visitor.mine
    await visitor.enter()
    key = re.search(r'name="key" value="(\w+)"', await visitor.page())
    assert key
    for _ in range(2):  # pressed twice
        sent = await visitor.send("messages", text="Is there\r\nnews?", key=key[1])
        assert (sent.status_code, sent.headers["location"]) == (303, f"{visitor.path}?done=message")
    assert "Your message has been sent" in await visitor.page("?done=message")
    assert [m["text"] for m in (await mine.look())["messages"]] == ["Is there\nnews?"]

    await mine.decide(close=True)
    rated = await visitor.send("rate", overall="2", staff="", product="", handling="5", comment="")
    assert rated.status_code == 303
    disputed = await visitor.send("dispute", grounds="You forgot the second fee.")
    assert disputed.status_code == 303
    seen = await mine.look()
    assert (seen["rating"]["overall"], seen["rating"]["staff"], seen["rating"]["handling"]) == (2, None, 5)
    assert seen["disputes"][0]["grounds"] == "You forgot the second fee."
    assert "We are looking at the outcome again" in await visitor.page()


@SQLITE
async def test_withdrawing_asks_first(visitor: Visitor) -> None:
    await visitor.enter()
    asked = await visitor.http.get(f"{visitor.path}/withdraw")
    assert "This cannot be undone" in asked.text
    assert (await visitor.mine.look())["withdrawn_at"] is None
    done = await visitor.send("withdraw", reason="")
    assert done.headers["location"] == f"{visitor.path}?done=withdrawn"
    assert (await visitor.send("withdraw")).status_code == 303, "sent twice"
    page = await visitor.page()
    assert "You have withdrawn your complaint" in page
    assert "/withdraw" not in page


@SQLITE
async def test_what_cannot_be_taken_is_said_and_kept_in_the_form(visitor: Visitor) -> None:
    await visitor.enter()
    blank = await visitor.send("messages", text="  ")
    assert (blank.status_code, "Write something here first." in blank.text) == (422, True)
    long = await visitor.send("messages", text="long " * 3000)
    assert "at most 10,000 characters" in long.text
    assert "long long" in long.text
    for verb, form, why in (
        ("rate", {"overall": "3"}, "once we have answered it"),
        ("dispute", {"grounds": "No."}, "There is no outcome yet"),
    ):
        answer = await visitor.send(verb, **form)
        assert answer.status_code == 409
        assert why in answer.text
    await visitor.mine.decide()
    unmarked = await visitor.send("rate", overall="", staff="4", comment="kept words")
    assert unmarked.status_code == 422
    assert "Choose a mark" in unmarked.text
    assert "kept words" in unmarked.text
    assert re.search(r'name="staff" value="4" checked', unmarked.text)


@SQLITE
async def test_when_the_visit_has_ended_nothing_is_sent_and_that_is_said(visitor: Visitor) -> None:
    answer = await visitor.send("messages", text="hello")
    assert answer.status_code == 404
    assert "Your visit has ended" in answer.text
    assert (await visitor.mine.look())["messages"] == []


@SQLITE
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_sites_form_does_nothing(visitor: Visitor, site: str) -> None:
    await visitor.enter()
    headers = {"Sec-Fetch-Site": site}
    for verb, form in (("messages", {"text": "x"}), ("withdraw", {}), ("leave", {})):
        answer = await visitor.http.post(f"{visitor.path}/{verb}", data=form, headers=headers)
        assert answer.status_code == 403
    assert (await visitor.enter(**headers)).status_code == 403
    seen = await visitor.mine.look()
    assert (seen["messages"], seen["withdrawn_at"]) == ([], None)


@SQLITE
async def test_what_people_write_is_text_and_no_markup(visitor: Visitor) -> None:
    await visitor.enter()
    await visitor.send("messages", text="<script>alert(1)</script> & <b>bold</b>")
    page = await visitor.page()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    for attack in ('"><script>alert(1)</script>', "javascript:x", "../../x", "%00"):
        answer = await visitor.http.get(f"/track/{attack.replace('/', '%2F')}?lang=en&done=<script>")
        assert "<script>alert" not in answer.text


@SQLITE
async def test_late_is_said_honestly(desk: Any, visitor: Visitor) -> None:
    await visitor.enter()
    await visitor.mine.hear(_clock(visitor.mine.id))
    assert "By 23 Dec 2026" in await visitor.page()
    desk.now = DUE + timedelta(days=40)
    await visitor.enter()
    page = await visitor.page()
    assert "This was due by 23 Dec 2026 and is not done yet. We are late, and we are sorry." in page
    assert "Financial Dispute Resolution Centre" in page, "60 days have passed without an answer"
    met = ClockMet(complaint_id=visitor.mine.id, clock_id="c", step="final", due_at=DUE, met_at=desk.now, in_time=False)
    await visitor.mine.hear(met)
    assert "Done on 1 Feb 2027. It was due by 23 Dec 2026: we were late" in await visitor.page()
