"""Staff and systems are told of deadlines: once, in their language, together where it can wait, whatever breaks."""

import asyncio
import contextlib
import time as clock
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
import standardwebhooks
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import text

from services.sla.domain.notice import LEASE, RETRY, Filter
from services.sla.domain.post import Absence, Post, Quiet
from services.sla.gateways.words import Writer
from services.sla.usecases import notices, subscriptions
from services.sla.usecases.subscriptions import Wanted
from shared.clock import utcnow
from shared.errors import Unavailable
from tests.component.sla.sinks import KEYS, NOON, Desk, HttpSink, MailSink, ids, new_database, words

HEAD = Post("cards-head", "supervisor", "cards", holder="s-1", deputy="s-2", language="en", email="head@bank.example")
EVERYTHING = Filter()
WINDOW = timedelta(minutes=5)


@pytest.fixture
async def desk(migrated: Callable[[str], str], tmp_path: Path) -> AsyncIterator[Desk]:
    db, mail, http = new_database(migrated("sla")), MailSink(), HttpSink()
    mail.start()
    await http.start()
    found = Desk(db, mail, http, tmp_path)
    await found.staff(HEAD)
    yield found
    await found.close()
    await http.stop()
    mail.stop()
    await db.close()


async def subscribe(desk: Desk, path: str, format: str | None = None, **changes: Any) -> tuple[str, str | None]:
    language, wanted = changes.pop("language", "en"), changes.pop("filter", EVERYTHING)
    asked = Wanted(desk.http.url(path), path, format, language, wanted, **changes)
    async with desk.db.transaction() as tx:
        made, secret = subscriptions.create(tx, KEYS, asked, private=True, actor="test", now=desk.now)
    return made.id, secret


async def test_a_mail_arrives_once_in_the_readers_language_on_the_readers_clocks(desk: Desk) -> None:
    readers = {"en": "Reminder: Final response", "zh-Hant": "最終回覆", "zh-Hans": "最终答复"}
    for language in readers:
        post = Post(f"p-{language}".lower(), "supervisor", language, holder="x", language=language)
        await desk.staff(replace(post, email=f"{language}@bank.example"))
        await desk.tell(await desk.notice(department=language))
    for _ in range(3):
        await desk.pass_time(WINDOW)
    for language, said in readers.items():
        (mail,) = desk.mail.to(f"{language}@bank.example")
        assert said in mail["Subject"]
        assert "260301-AAAA-00001" in mail["Subject"]
        assert mail["Content-Language"] == language
        assert "UTC+08:00" in words(mail)
        assert "13:00" in words(mail), "the deadline as the clocks of Hong Kong show it"
        assert "https://desk.example/cases/c-1" in words(mail)
    assert len(desk.mail.mails) == 3
    assert await desk.states() == {"sent": 3}


async def test_the_posts_own_time_zone_is_used(desk: Desk) -> None:
    await desk.staff(replace(HEAD, zone=ZoneInfo("Europe/London")))
    await desk.tell(await desk.notice())
    await desk.pass_time(WINDOW)
    assert "05:00 (UTC+00:00)" in desk.mail.mails[0]["Subject"]


async def test_what_comes_within_the_window_is_one_message_that_lists_it(desk: Desk) -> None:
    for n in range(7):
        await desk.tell(await desk.notice(n))
        desk.now += timedelta(seconds=30)
    await desk.pass_time(WINDOW, step=timedelta(minutes=1))
    (mail,) = desk.mail.mails
    assert mail["Subject"] == "7 notices about deadlines"
    text = words(mail)
    assert text.count("https://desk.example/cases/") == 5, "as many as a message lists"
    assert "and 2 more" in text
    (digest,) = await desk.rows("SELECT id, state FROM notice WHERE kind = 'digest'")
    assert (mail["Message-ID"], digest["state"]) == (f"<{digest['id']}@bank.example>", "sent")
    members = await desk.rows("SELECT digest_id, state FROM notice WHERE kind <> 'digest'")
    assert {(m["digest_id"], m["state"]) for m in members} == {(digest["id"], "sent")}


async def test_what_is_urgent_goes_at_once_and_through_the_night(desk: Desk) -> None:
    await desk.staff(replace(HEAD, quiet=Quiet(time(20), time(8), weekends=True)))
    desk.now = NOON + timedelta(hours=11)  # 23:00
    await desk.tell(await desk.notice(1), await desk.notice(2), await desk.notice(3, kind="missed", urgent=True))
    await desk.tell(await desk.notice(4, kind="escalation", level=3), await desk.notice(5, kind="escalation", level=2))
    await desk.sender.run_once()
    (mail,) = desk.mail.mails
    assert mail["Subject"] == "Urgent: 2 notices about deadlines"
    await desk.pass_time(timedelta(hours=8, minutes=55))
    assert len(desk.mail.mails) == 1, "the others wait until eight"
    await desk.pass_time(timedelta(minutes=10))
    assert desk.mail.mails[1]["Subject"] == "3 notices about deadlines"
    assert await desk.states() == {"sent": 5}


async def test_what_was_held_up_does_not_disturb_anybody_at_night(desk: Desk) -> None:
    await desk.staff(replace(HEAD, quiet=Quiet(time(20), time(8))))
    await desk.tell(await desk.notice(1), await desk.notice(2, kind="missed", urgent=True))
    desk.now = NOON + timedelta(hours=11)  # the worker was down from noon until 23:00
    await desk.sender.run_once()
    (mail,) = desk.mail.mails
    assert "Missed" in mail["Subject"]
    await desk.pass_time(timedelta(hours=9, minutes=5))
    assert "Reminder" in desk.mail.mails[1]["Subject"]
    assert await desk.states() == {"sent": 2}


async def test_two_people_told_of_one_thing_are_one_notice_to_a_subscription(desk: Desk) -> None:
    await subscribe(desk, "/hook")
    officer = Post("officers", "officer", "cards", holder="s-9", email="officers@bank.example")
    await desk.staff(officer)
    both = [await desk.notice(1, kind="missed", role=role) for role in ("officer", "supervisor")]
    assert await desk.tell(*both) == 3


async def test_a_deputy_is_written_to_while_the_holder_is_away(desk: Desk) -> None:
    away = (Absence(NOON.date(), NOON.date()),)
    await desk.staff(replace(HEAD, deputy_email="deputy@bank.example", absences=away))
    await desk.tell(await desk.notice())
    await desk.pass_time(WINDOW)
    (mail,) = desk.mail.to("deputy@bank.example")
    assert "because you stand in for the post: Head of department" in words(mail)


async def test_a_webhook_is_signed_and_told_each_thing_by_itself(desk: Desk) -> None:
    _, secret = await subscribe(desk, "/hook", language="zh-Hans")
    await desk.tell(*[await desk.notice(n, at=desk.now) for n in range(3)])
    desk.now = utcnow()  # the verifier's clock is the real one
    await desk.sender.run_once()
    assert secret is not None
    verifier = standardwebhooks.Webhook(secret)
    for request in desk.http.at("/hook"):
        told = verifier.verify(request.body, request.headers)
        assert told["type"] == "notice.warning"
        assert told["data"]["id"] == request.headers["webhook-id"]
        assert "最终答复" in told["data"]["subject"]
    assert len({r.headers["webhook-id"] for r in desk.http.at("/hook")}) == 3
    assert len(desk.http.at("/hook")) == 3


async def test_while_a_secret_is_replaced_both_verify_and_later_only_the_new_one(desk: Desk) -> None:
    id, old = await subscribe(desk, "/hook")
    desk.now = utcnow()
    async with desk.db.transaction() as tx:
        overlap = timedelta(minutes=1)
        new, until = await subscriptions.rotate(tx, KEYS, id, overlap=overlap, secret=None, actor="test", now=desk.now)
    assert until == desk.now + overlap
    assert old is not None
    both: list[standardwebhooks.Webhook] = [standardwebhooks.Webhook(s) for s in (old, new)]
    await desk.tell(await desk.notice())
    await desk.sender.run_once()
    (request,) = desk.http.at("/hook")
    for verifier in both:
        assert verifier.verify(request.body, request.headers)
    desk.now += overlap
    await desk.tell(await desk.notice(2))
    await desk.sender.run_once()
    later = desk.http.at("/hook")[1]
    assert both[1].verify(later.body, later.headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        both[0].verify(later.body, later.headers)


async def test_a_sink_that_says_500_for_an_hour_gets_everything_once(desk: Desk) -> None:
    await subscribe(desk, "/hook")
    back_at = desk.now + timedelta(hours=1)
    refused: list[str] = []

    def answer(request: Any) -> int:
        if desk.now >= back_at:
            return 200
        refused.append(request.headers["webhook-id"])
        return 500

    desk.http.answers["/hook"] = answer
    await desk.tell(*[await desk.notice(n, reached=None) for n in range(20)])
    await desk.pass_time(timedelta(hours=1))
    assert 3 < len(refused) < 120, "it is left alone between tries"
    await desk.pass_time(timedelta(hours=8))
    arrived = [r.headers["webhook-id"] for r in desk.http.at("/hook")]
    assert len(arrived) == len(set(arrived)) == 20
    assert set(refused) <= set(arrived), "what was tried before arrives under the id it had"
    assert await desk.states() == {"sent": 20}


async def test_a_sink_that_never_answers_delays_nobody_else(desk: Desk) -> None:
    await subscribe(desk, "/dead")
    await subscribe(desk, "/alive")
    desk.http.answers["/dead"] = None
    await desk.tell(*[await desk.notice(n, urgent=True) for n in range(300)])
    began = clock.monotonic()
    sending = asyncio.create_task(desk.sender.run_once())
    while len(desk.http.at("/alive")) < 300 or not desk.mail.mails:
        await asyncio.sleep(0.02)
        assert clock.monotonic() - began < 8
    took = clock.monotonic() - began
    await sending
    assert took < 8
    assert desk.http.most_open["/dead"] <= 4
    assert desk.http.most_open["/alive"] <= 4
    waiting = await desk.rows("SELECT attempts FROM notice WHERE state = 'waiting'")
    assert len(waiting) == 300
    assert sum(row["attempts"] for row in waiting) <= 4, "the rest need not try what does not answer"


async def test_twenty_dead_sinks_delay_nobody_else(desk: Desk) -> None:
    dead = [HttpSink(answers={"/dead": None}) for _ in range(20)]
    for n, sink in enumerate(dead):
        await sink.start()
        asked = Wanted(sink.url("/dead"), f"dead {n}", None, "en", EVERYTHING)
        async with desk.db.transaction() as tx:
            subscriptions.create(tx, KEYS, asked, private=True, actor="test", now=desk.now)
    await subscribe(desk, "/alive")
    await desk.tell(*[await desk.notice(n, urgent=True) for n in range(20)])
    sending = asyncio.create_task(desk.make_sender(desk.reach(timeout=5)).run_once())
    began = clock.monotonic()
    while len(desk.http.at("/alive")) < 20 or not desk.mail.mails:
        await asyncio.sleep(0.02)
        assert clock.monotonic() - began < 4, "before any of them has timed out"
    await sending
    assert await desk.rows("SELECT reason FROM notice WHERE reason = 'PoolTimeout'") == []
    for sink in dead:
        await sink.stop()


async def test_while_it_waits_for_a_dead_sink_it_sends_what_falls_due_to_others(desk: Desk) -> None:
    await subscribe(desk, "/dead", filter=Filter(kinds=frozenset(("missed",))))
    desk.http.answers["/dead"] = None
    await desk.tell(await desk.notice(1, kind="missed", reached=None))
    sending = asyncio.create_task(desk.sender.run_once())
    await asyncio.sleep(0.3)
    await desk.tell(await desk.notice(2, urgent=True))
    await asyncio.sleep(1.2)
    assert len(desk.mail.mails) == 1
    assert not sending.done(), "the dead sink has not even timed out"
    await sending


async def test_a_sender_that_dies_leaves_it_to_the_next_under_the_same_id(desk: Desk) -> None:
    await subscribe(desk, "/hook")
    await desk.tell(await desk.notice(reached=None))
    written = desk.sender._settle

    async def die(*_: Any) -> None:
        raise RuntimeError("killed")

    desk.sender._settle = die  # type: ignore[method-assign,assignment]
    await desk.sender.run_once()
    assert len(desk.http.got) == 1, "it went, and that was not written down"
    desk.sender._settle = written  # type: ignore[method-assign]
    other = desk.make_sender()
    await other.run_once()
    assert len(desk.http.got) == 1, "nobody else touches it meanwhile"
    desk.now += LEASE
    await asyncio.gather(other.run_once(), desk.sender.run_once())
    assert len(desk.http.got) == 2
    assert len({r.headers["webhook-id"] for r in desk.http.got}) == 1
    assert await desk.states() == {"sent": 1}


async def test_a_digest_whose_sender_dies_arrives_whole_under_the_same_id(desk: Desk) -> None:
    await desk.tell(*[await desk.notice(n) for n in range(3)])
    desk.now += WINDOW
    desk.mail.answer = lambda _: "451 4.3.0 try later"
    await desk.sender.run_once()
    await desk.tell(await desk.notice(9))
    desk.mail.answer = lambda _: None
    desk.now += timedelta(minutes=10)
    await desk.sender.run_once()
    assert sorted(str(m["Subject"])[:9] for m in desk.mail.mails) == ["3 notices", "Reminder:"]
    assert len(set(ids(desk.mail.mails))) == 2


async def test_many_senders_send_each_thing_once(desk: Desk) -> None:
    await subscribe(desk, "/hook")
    await desk.tell(*[await desk.notice(n, urgent=True) for n in range(500)])
    senders = [desk.make_sender() for _ in range(4)]
    await asyncio.gather(*(sender.run_once() for sender in senders))
    arrived = [r.headers["webhook-id"] for r in desk.http.got]
    assert len(arrived) == len(set(arrived)) == 500
    listed = [int(str(m["Subject"]).split()[1]) if "notices" in m["Subject"] else 1 for m in desk.mail.mails]
    assert sum(listed) == 500
    assert await desk.states() == {"sent": 1000}


async def test_stopping_lets_what_is_on_its_way_arrive(desk: Desk) -> None:
    await subscribe(desk, "/slow")

    def slowly(_: Any) -> int:
        clock.sleep(0.02)
        return 200

    desk.http.answers["/slow"] = slowly
    await desk.tell(*[await desk.notice(n, reached=None) for n in range(50)])
    sending = asyncio.create_task(desk.sender.run_once())
    while not desk.http.got:
        await asyncio.sleep(0.01)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    so_far = len(desk.http.got)
    assert so_far < 50
    assert await desk.states() == {"sent": so_far, "waiting": 50 - so_far}
    await desk.make_sender().run_once()
    arrived = [r.headers["webhook-id"] for r in desk.http.got]
    assert len(arrived) == len(set(arrived)) == 50


async def test_no_subscription_leads_into_the_banks_own_network(desk: Desk) -> None:
    await subscribe(desk, "/hook")
    await desk.tell(await desk.notice(reached=None))
    await desk.make_sender(desk.reach(private=False)).run_once()
    assert desk.http.got == []
    (row,) = await desk.rows("SELECT state, reason FROM notice")
    assert (row["state"], row["reason"]) == ("failed", "the address is not public")


@pytest.mark.parametrize(("status", "state"), [(400, "failed"), (404, "failed"), (429, "waiting"), (503, "waiting")])
async def test_what_is_refused_for_good_is_not_tried_again(desk: Desk, status: int, state: str) -> None:
    await subscribe(desk, "/hook")
    desk.http.answers["/hook"] = status
    await desk.tell(await desk.notice(reached=None))
    await desk.sender.run_once()
    assert await desk.states() == {state: 1}
    (attempt,) = await desk.rows("SELECT outcome, reason FROM notice_attempt")
    assert attempt["reason"] == f"answered {status}"


async def test_410_switches_a_subscription_off_with_what_waits_for_it(desk: Desk) -> None:
    await subscribe(desk, "/hook")
    desk.http.answers["/hook"] = 410
    await desk.tell(*[await desk.notice(n, reached=None) for n in range(9)])
    await desk.sender.run_once()
    assert await desk.states() == {"failed": 9}
    (row,) = await desk.rows("SELECT disabled_at FROM subscription")
    assert row["disabled_at"]
    assert await desk.tell(await desk.notice(reached=None)) == 0


async def test_after_days_in_vain_it_has_failed_and_can_be_sent_again(desk: Desk) -> None:
    await desk.tell(await desk.notice(1), await desk.notice(2))
    desk.mail.answer = lambda address: f"451 4.3.0 <{address}> later"
    await desk.pass_time(RETRY.give_up_after + timedelta(hours=7), step=timedelta(minutes=40))
    assert await desk.states() == {"failed": 2}
    (digest,) = await desk.rows("SELECT id, reason, attempts FROM notice WHERE kind = 'digest'")
    assert digest["reason"] == "451 4.3.0 [address] later"
    assert digest["attempts"] > 8
    (member, _) = await desk.rows("SELECT id FROM notice WHERE kind <> 'digest'")
    desk.mail.answer = lambda _: None
    async with desk.db.transaction() as tx:
        await notices.retry(tx, member["id"], actor="test", now=desk.now)
    assert await desk.states() == {"joined": 2}
    await desk.sender.run_once()
    assert ids(desk.mail.mails) == [f"<{digest['id']}@bank.example>"]
    assert await desk.states() == {"sent": 2}


async def test_a_post_without_an_address_is_told_by_the_duty_desk(desk: Desk) -> None:
    await desk.staff(replace(HEAD, email=None))
    await desk.tell(await desk.notice())
    await desk.pass_time(WINDOW)
    assert len(desk.mail.to("duty@bank.example")) == 1


async def test_without_a_mail_server_mail_waits_and_the_rest_goes(desk: Desk) -> None:
    await subscribe(desk, "/hook")
    await desk.tell(*[await desk.notice(n) for n in range(3)])
    desk.now += WINDOW
    without = desk.make_sender(desk.reach(with_mail=False))
    for _ in range(5):
        await without.run_once()
        desk.now += timedelta(hours=20)
    assert await desk.states() == {"sent": 3, "waiting": 3}
    await desk.sender.run_once()
    assert [str(m["Subject"]) for m in desk.mail.mails] == ["3 notices about deadlines"], "and then in one message"


async def test_chats_get_messages_in_their_own_form(desk: Desk) -> None:
    desk.http.bodies["/wecom"] = b'{"errcode":0,"errmsg":"ok"}'
    desk.http.answers["/wecom"] = 200
    for format, language in (("wecom", "zh-Hans"), ("teams", "en"), ("slack", "zh-Hant")):
        await subscribe(desk, f"/{format}", format, language=language)
    await desk.tell(*[await desk.notice(n, reached=None) for n in range(2)])
    await desk.pass_time(WINDOW)
    bodies = {r.path: r.json for r in desk.http.got}
    assert bodies["/wecom"]["msgtype"] == "markdown"
    content = bodies["/wecom"]["markdown"]["content"]
    assert content.startswith("**2 项期限通知**")
    assert "](https://desk.example/cases/c-0)" in content
    card = bodies["/teams"]["attachments"][0]["content"]
    assert (card["type"], card["body"][0]["text"]) == ("AdaptiveCard", "2 notices about deadlines")
    assert bodies["/slack"]["blocks"][0]["text"]["text"] == "2 項限期通知"
    assert len(desk.http.got) == 3


@pytest.mark.parametrize(("code", "state"), [(45009, "waiting"), (40008, "failed")])
async def test_wecom_says_in_the_body_that_it_did_not_go(desk: Desk, code: int, state: str) -> None:
    await subscribe(desk, "/wecom", "wecom")
    desk.http.answers["/wecom"], desk.http.bodies["/wecom"] = 200, orjson.dumps({"errcode": code})
    await desk.tell(await desk.notice(reached=None))
    await desk.pass_time(WINDOW, step=WINDOW)
    assert await desk.states() == {state: 1}


async def test_a_post_is_told_in_its_chat_and_by_mail_once_that_is_gone(desk: Desk) -> None:
    id, _ = await subscribe(desk, "/room", "slack", filter=Filter(kinds=frozenset()))
    await desk.staff(replace(HEAD, chat=id))
    await desk.tell(await desk.notice(1))
    await desk.pass_time(WINDOW)
    assert (len(desk.http.at("/room")), len(desk.mail.mails)) == (1, 0)
    desk.http.answers["/room"] = 404
    await desk.tell(await desk.notice(2))
    await desk.pass_time(WINDOW)
    await desk.pass_time(WINDOW)
    assert [str(m["To"]) for m in desk.mail.mails] == ["head@bank.example"]
    assert await desk.states() == {"sent": 2}


async def test_subscriptions_hear_what_they_asked_for(desk: Desk) -> None:
    cards = Filter(frozenset(("cards",)), frozenset(("escalation",)), 2)
    await subscribe(desk, "/cards", filter=cards)
    for n, (department, kind, level) in enumerate(
        (("cards", "escalation", 2), ("cards", "escalation", 1), ("loans", "escalation", 2), ("cards", "missed", 2))
    ):
        await desk.tell(await desk.notice(n, department=department, kind=kind, level=level, reached=None))
    await desk.sender.run_once()
    assert [r.json["data"]["complaint_id"] for r in desk.http.got] == ["c-0"]


async def test_a_database_that_is_away_for_a_moment_is_no_reason_to_send_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await subscribe(desk, "/hook")
    await desk.tell(await desk.notice(reached=None))
    settle, times = notices.store.settle, iter((True, False))

    async def away_at_first(*given: Any) -> None:
        if next(times):
            raise Unavailable
        await settle(*given)

    monkeypatch.setattr(notices.store, "settle", away_at_first)
    await desk.sender.run_once()
    desk.now += LEASE
    await desk.sender.run_once()
    assert len(desk.http.got) == 1
    assert await desk.states() == {"sent": 1}


async def test_a_notice_that_cannot_be_put_into_words_holds_nobody_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await subscribe(desk, "/hook")
    await desk.tell(*[await desk.notice(n, reached=None) for n in range(5)])
    one = Writer.one

    def stumble(self: Writer, row: Any) -> Any:
        if row.complaint_id == "c-2":
            raise KeyError
        return one(self, row)

    monkeypatch.setattr(Writer, "one", stumble)
    await desk.sender.run_once()
    assert sorted(r.json["data"]["complaint_id"] for r in desk.http.got) == ["c-0", "c-1", "c-3", "c-4"]
    assert await desk.states() == {"sent": 4, "waiting": 1}


async def test_a_language_or_zone_that_is_no_more_keeps_nobody_from_being_told(desk: Desk) -> None:
    await desk.tell(await desk.notice())
    async with desk.db.transaction() as tx:
        await tx.execute(text("UPDATE post SET language = 'fr', zone = 'Mars/Base'"))
    await desk.pass_time(WINDOW)
    assert "Reminder" in desk.mail.mails[0]["Subject"]


async def test_nothing_goes_out_of_what_was_rolled_back(desk: Desk) -> None:
    one = await desk.notice(urgent=True)
    with contextlib.suppress(RuntimeError):
        async with desk.db.transaction() as tx:
            assert await notices.add(tx, [one], desk.setup) == 1
            raise RuntimeError
    await desk.sender.run_once()
    assert desk.mail.mails == []


async def test_a_thousand_notices_cost_as_many_statements_as_one(desk: Desk) -> None:
    await subscribe(desk, "/hook")
    one = await desk.notice()
    seen: list[str] = []
    engine = desk.db.engine.sync_engine

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sqlalchemy_event.listen(engine, "before_cursor_execute", note)
    await desk.tell(one)
    few = len(seen)
    seen.clear()
    directory = await desk.directory()
    seen.clear()
    async with desk.db.transaction() as tx:
        many = [replace(one, complaint_id=f"c-{n}") for n in range(1000)]
        made = await notices.add(tx, many, desk.setup, directory=directory)
    sqlalchemy_event.remove(engine, "before_cursor_execute", note)
    assert made == 2000
    assert len(seen) < few <= 4


async def test_old_notices_are_removed_with_their_attempts(desk: Desk) -> None:
    await desk.tell(*[await desk.notice(n) for n in range(3)])
    await desk.pass_time(WINDOW)
    await desk.tell(await desk.notice(4))
    assert await notices.prune(desk.db, desk.now + timedelta(days=1)) == 4
    assert await desk.states() == {"waiting": 1}
    assert await desk.rows("SELECT * FROM notice_attempt") == []
