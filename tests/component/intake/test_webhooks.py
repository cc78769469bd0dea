"""Channels' systems are told of their complaints: signed, in order, until they have heard, and nowhere they may not."""

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import httpx
import pytest
import standardwebhooks

from services.intake import consumers
from services.intake.usecases.webhook import LEASE, Sender
from shared.bus import Message
from shared.clock import utcnow
from shared.cloudevents import Envelope, encode
from shared.events import TOPICS, ComplaintClosed, ComplaintMessageAdded, ComplaintResolved, ComplaintRouted, Event
from shared.ids import uuid7
from shared.inbox import Consumer
from shared.outbound import NotAllowed, NotReached, Outbound

URL = "https://bank.example/hook"


class Receiver:
    """A channel's system: `answer` says what it does with a delivery; every one is kept."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[httpx.Request], int] = lambda _: 204
        self.hosts: list[tuple[str, str]] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.hosts.append((request.url.host, request.headers["Host"]))
        status = self.answer(request)
        if status == 0:
            raise httpx.ConnectError("refused")
        self.got.append((dict(request.headers), request.content))
        return httpx.Response(status)

    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]

    def told(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]


class Hooks:
    """What the tests need: hear events as the worker does, and send what is due."""

    def __init__(self, desk: Any, receiver: Receiver, *, private: bool = False, addresses: Sequence[str] = ()) -> None:
        self.desk, self.receiver = desk, receiver
        self.addresses = list(addresses) or ["93.184.216.34"]
        outbound = Outbound(private=private, resolve=self._resolve, transport=httpx.MockTransport(receiver.handle))
        self.sender = Sender(desk.db, desk.app.state.desk.keys, outbound, lambda: desk.now)
        settings, month = desk.app.state.settings, timedelta(days=30)
        context = consumers.Context(
            desk.app.state.desk, lambda: desk.now, settings.zone, "http://desk", settings.languages, month
        )
        self.consumer = Consumer(desk.db, consumers.handler(context), consumers.HANDLED, lambda: desk.now)

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        assert (host, port) == ("bank.example", 443)
        return self.addresses

    async def hear(self, *events: Event) -> None:
        wrapped = [
            Envelope(id=uuid7(), source=e.source, type=e.type, subject=e.complaint_id, time=self.desk.now, data=e)
            for e in events
        ]
        await self.consumer.process(
            [Message(TOPICS[e.source.removeprefix("/redress/")], e.subject, encode(e).encode()) for e in wrapped]
        )

    async def hear_own(self) -> None:
        """Everything that intake has published so far, as its relay delivers it."""
        rows = await self.desk.rows("SELECT key, payload FROM outbox ORDER BY seq")
        await self.consumer.process([Message(TOPICS["intake"], r["key"], r["payload"].encode()) for r in rows])

    async def call(self, method: str, path: str, who: str = "phone", body: Any = None) -> httpx.Response:
        answer: httpx.Response = await self.desk.http.request(method, path, headers=self.desk.headers(who), json=body)
        return answer

    async def create(self, who: str = "phone", **more: Any) -> dict[str, Any]:
        answer = await self.call("POST", "/v1/webhooks", who, {"url": URL} | more)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def hooks(desk: Any, receiver: Receiver) -> Hooks:
    return Hooks(desk, receiver)


def routed(id: str, desk: Any) -> ComplaintRouted:
    return ComplaintRouted(complaint_id=id, department="cards", reason="r", routed_at=desk.now)


def resolved(id: str, desk: Any) -> ComplaintResolved:
    return ComplaintResolved(complaint_id=id, outcome="upheld", root_cause="fees", resolved_at=desk.now)


def closed(id: str, desk: Any) -> ComplaintClosed:
    return ComplaintClosed(complaint_id=id, closed_at=desk.now)


async def test_a_channel_hears_of_its_own_complaints_and_can_verify_it(hooks: Hooks, desk: Any, complaint: Any) -> None:
    hook = await hooks.create()
    assert hook["channels"] == ["phone"]
    mine = (await desk.post(complaint(), who="any")).json()
    await desk.post(complaint(channel="web_chat"), who="any")
    await hooks.hear_own()
    await hooks.hear(routed(mine["id"], desk), resolved(mine["id"], desk))
    await hooks.sender.run()
    assert hooks.receiver.told() == ["complaint.received", "complaint.routed", "complaint.resolved"]
    # within its tolerance of five minutes: the receiver's clock is the real one
    verifier = standardwebhooks.Webhook(hook["secret"])
    for headers, body in hooks.receiver.got:
        desk_time = headers["webhook-timestamp"]
        assert int(desk_time) == int(desk.now.timestamp())
        signed = verifier.sign(headers["webhook-id"], desk.now, body.decode())
        assert headers["webhook-signature"] == signed
    data = json.loads(hooks.receiver.got[-1][1])["data"]
    assert data == {"id": mine["id"], "reference": mine["reference"], "channel": "phone", "outcome": "upheld"}
    assert hooks.receiver.hosts[0] == ("93.184.216.34", "bank.example"), "to the address that was checked"


async def test_the_package_of_the_standard_verifies_what_is_sent_now(hooks: Hooks, desk: Any) -> None:
    hook = await hooks.create()
    desk.now = utcnow()
    assert (await hooks.call("POST", f"/v1/webhooks/{hook['id']}/test")).status_code == 202
    await hooks.sender.run()
    ((headers, body),) = hooks.receiver.got
    assert standardwebhooks.Webhook(hook["secret"]).verify(body, headers)["type"] == "webhook.test"
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(hook["secret"]).verify(body + b" ", headers)


async def test_a_receiver_away_for_an_hour_gets_each_event_in_order_and_none_twice(
    hooks: Hooks, desk: Any, complaint: Any
) -> None:
    await hooks.create()
    one, two = [(await desk.post(complaint(narrative=f"No. {n}"), who="any")).json()["id"] for n in range(2)]
    await hooks.hear_own()
    back_at = desk.now + timedelta(hours=1)
    hooks.receiver.answer = lambda _: 503 if desk.now < back_at else 200
    refused: list[str] = []
    while desk.now < back_at + timedelta(hours=4):
        if desk.now == back_at - timedelta(minutes=30):
            await hooks.hear(routed(one, desk), routed(two, desk), resolved(one, desk), closed(one, desk))
        if desk.now == back_at:
            refused = hooks.receiver.ids()
            hooks.receiver.got.clear()
        await hooks.sender.run()
        desk.now += timedelta(minutes=5)
    ids = hooks.receiver.ids()
    assert len(ids) == len(set(ids)) == 6
    assert len(refused) > len(set(refused)) >= 2, "it was tried again and again"
    assert set(refused) <= set(ids), "what was tried before arrives under the id it had"
    order: dict[str, list[str]] = {}
    for _, body in hooks.receiver.got:
        told = json.loads(body)
        order.setdefault(told["data"]["id"], []).append(told["type"].removeprefix("complaint."))
    assert order == {one: ["received", "routed", "resolved", "closed"], two: ["received", "routed"]}


async def test_after_a_day_in_vain_it_is_given_up_and_can_be_replayed(hooks: Hooks, desk: Any, complaint: Any) -> None:
    hook = await hooks.create()
    await desk.post(complaint(), who="any")
    await hooks.hear_own()
    hooks.receiver.answer = lambda _: 0
    for _ in range(200):
        await hooks.sender.run()
        desk.now += timedelta(minutes=10)
    log = (await hooks.call("GET", f"/v1/webhooks/{hook['id']}/deliveries")).json()
    (given_up,) = log["items"]
    assert (given_up["state"], given_up["last_error"], log["next"]) == ("failed", "ConnectError", None)
    assert given_up["attempts"] > 10
    hooks.receiver.answer = lambda _: 200
    replayed = await hooks.call("POST", f"/v1/deliveries/{given_up['id']}/replay")
    assert replayed.status_code == 202
    await hooks.sender.run()
    assert hooks.receiver.ids() == [given_up["id"]]
    (settled,) = (await hooks.call("GET", f"/v1/webhooks/{hook['id']}/deliveries")).json()["items"]
    assert (settled["state"], settled["last_status"], settled["last_error"]) == ("delivered", 200, None)


async def test_410_switches_the_webhook_off(hooks: Hooks, desk: Any, complaint: Any) -> None:
    hook = await hooks.create()
    id = (await desk.post(complaint(), who="any")).json()["id"]
    await hooks.hear_own()
    await hooks.hear(routed(id, desk))
    hooks.receiver.answer = lambda _: 410
    await hooks.sender.run()
    assert len(hooks.receiver.got) == 1
    assert (await hooks.call("GET", f"/v1/webhooks/{hook['id']}")).json()["disabled_at"]
    await hooks.hear(closed(id, desk))
    await hooks.sender.run()
    assert len(hooks.receiver.got) == 1
    states = await desk.rows("SELECT state FROM delivery")
    assert {row["state"] for row in states} == {"failed"}
    for verb in ("test", "rotate"):
        assert (await hooks.call("POST", f"/v1/webhooks/{hook['id']}/{verb}")).json()["code"] == "webhook_disabled"


async def test_a_sender_that_dies_with_a_delivery_in_hand_leaves_it_to_the_next(
    hooks: Hooks, desk: Any, complaint: Any
) -> None:
    await hooks.create()
    await desk.post(complaint(), who="any")
    await hooks.hear_own()
    (taken,) = await hooks.sender._take()  # and nothing more is heard of it
    await hooks.sender.run()
    assert hooks.receiver.got == []
    desk.now += LEASE
    await hooks.sender.run()
    await hooks.sender.run()
    assert hooks.receiver.ids() == [taken.id]


async def test_events_and_channels_that_were_not_asked_for_are_not_told(
    hooks: Hooks, desk: Any, complaint: Any
) -> None:
    await hooks.create(events=["complaint.closed"])
    await hooks.create(who="web")
    id = (await desk.post(complaint(), who="any")).json()["id"]
    await hooks.hear_own()
    await hooks.hear(routed(id, desk), closed(id, desk))
    await hooks.sender.run()
    assert hooks.receiver.told() == ["complaint.closed"]


async def test_nobody_sees_or_touches_the_webhooks_of_others(hooks: Hooks, desk: Any) -> None:
    hook = await hooks.create()
    delivery = (await hooks.call("POST", f"/v1/webhooks/{hook['id']}/test")).json()
    assert (await hooks.call("GET", "/v1/webhooks", "web")).json() == {"items": []}
    for method, path in (
        ("GET", f"/v1/webhooks/{hook['id']}"),
        ("GET", f"/v1/webhooks/{hook['id']}/deliveries"),
        ("DELETE", f"/v1/webhooks/{hook['id']}"),
        ("POST", f"/v1/webhooks/{hook['id']}/rotate"),
        ("POST", f"/v1/webhooks/{hook['id']}/test"),
        ("POST", f"/v1/deliveries/{delivery['id']}/replay"),
    ):
        assert (await hooks.call(method, path, "web")).status_code == 404, path
        assert (await hooks.call(method, path, "officer")).status_code == 403, path
    assert len((await hooks.call("GET", "/v1/webhooks")).json()["items"]) == 1
    for _ in range(2):
        assert (await hooks.call("DELETE", f"/v1/webhooks/{hook['id']}")).status_code == 204
    await hooks.sender.run()
    assert hooks.receiver.got == []


async def test_the_secret_is_shown_once_and_kept_wrapped(hooks: Hooks, desk: Any) -> None:
    hook = await hooks.create()
    listed = (await hooks.call("GET", "/v1/webhooks")).json()["items"][0]
    assert "secret" not in listed
    second = (await hooks.call("POST", f"/v1/webhooks/{hook['id']}/rotate")).json()["secret"]
    assert second != hook["secret"]
    await hooks.call("POST", f"/v1/webhooks/{hook['id']}/test")
    await hooks.sender.run()
    ((headers, body),) = hooks.receiver.got
    signed = standardwebhooks.Webhook(second).sign(headers["webhook-id"], desk.now, body.decode())
    assert headers["webhook-signature"] == signed
    kept = (await desk.rows("SELECT wrapped_secret FROM webhook"))[0]["wrapped_secret"]
    assert second.removeprefix("whsec_").encode() not in bytes(kept)


async def test_no_webhook_leads_into_the_banks_own_network(desk: Any, receiver: Receiver) -> None:
    hooks = Hooks(desk, receiver, addresses=["93.184.216.34", "169.254.169.254"])
    hook = await hooks.create()
    await hooks.call("POST", f"/v1/webhooks/{hook['id']}/test")
    await hooks.sender.run()
    assert receiver.hosts == []
    (log,) = (await hooks.call("GET", f"/v1/webhooks/{hook['id']}/deliveries")).json()["items"]
    assert log["last_error"] == "the address is not public"
    assert "169" not in json.dumps(log)


async def test_a_name_that_resolves_otherwise_a_moment_later_gains_nothing(receiver: Receiver) -> None:
    answers = iter((["93.184.216.34"], ["127.0.0.1"], ["127.0.0.1"]))

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return next(answers)

    async with Outbound(resolve=rebinding, transport=httpx.MockTransport(receiver.handle)) as outbound:
        assert await outbound.post(URL, b"{}", {}) == 204
        for _ in range(2):
            with pytest.raises(NotAllowed):
                await outbound.post(URL, b"{}", {})
    assert receiver.hosts == [("93.184.216.34", "bank.example")]


async def test_a_name_that_does_not_resolve_is_told_plainly() -> None:
    async with Outbound() as outbound:
        with pytest.raises(NotReached, match="does not resolve"):
            await outbound.post("https://nowhere.invalid/", b"{}", {})


@pytest.mark.parametrize("url", ["http://bank.example/", "https://u:p@bank.example/", "gopher://x", "https://"])
async def test_an_address_that_cannot_be_used_is_refused_when_it_is_given(hooks: Hooks, url: str) -> None:
    refused = await hooks.call("POST", "/v1/webhooks", body={"url": url})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/url")


async def test_what_is_told_holds_no_word_that_anybody_wrote(hooks: Hooks, desk: Any, complaint: Any) -> None:
    await hooks.create()
    id = (await desk.post(complaint(narrative="Seldom word"), who="any")).json()["id"]
    await hooks.hear_own()
    told = ComplaintMessageAdded(
        complaint_id=id, message_id="m", direction="out", author="system", via="email", text="Rare", added_at=desk.now
    )
    await hooks.hear(told)
    await hooks.sender.run()
    said = b"".join(body for _, body in hooks.receiver.got)
    assert len(hooks.receiver.got) == 2
    assert b"Seldom" not in said
    assert b"Rare" not in said
