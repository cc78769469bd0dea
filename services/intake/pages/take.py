"""The page on which agents take a complaint in: by telephone, at the counter, from a letter, from a regulator.

What is filled in goes the way of what a channel's own system posts: the same shapes, rules and use case. A key hidden
in the form makes one complaint of it however often it is sent.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal

import orjson
from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel
from starlette.responses import Response

from services.intake.api import taking
from services.intake.api.form_page import CURRENCIES
from services.intake.channels import branch, letter, regulator
from services.intake.channels.shape import Reception
from services.intake.domain.complaint import NARRATIVE_LIMIT, IdempotencyKeyReused, Submission
from services.intake.pages.common import NAMES, here, not_kept, tabs
from services.intake.schemas.complaint import ComplaintIn
from shared.errors import Conflict, FieldError, Invalid, Refused
from shared.i18n import Translator
from shared.security.principal import Principal, Role
from shared.web import pages
from shared.web.access import allow
from shared.web.app import ClockDep
from shared.web.forms import NOTHING, Filled, given, model
from shared.web.router import Router

router = Router(include_in_schema=False)
Agent = Annotated[Principal, Depends(allow(Role.AGENT))]
FormAgent = Annotated[Principal, Depends(allow(Role.AGENT, own_form=True))]
Channel = Literal["phone", "branch", "letter", "regulator", "email", "social"]
CHANNELS: tuple[Channel, ...] = ("phone", "branch", "letter", "regulator", "email", "social")
_PERSON = ("name", "phone", "email", "customer_no", "preferred_channel")
_SHOWN_AT = {
    "/complainant": "/name",
    "/complainant/name": "/name",
    "/complainant/phone": "/phone",
    "/complainant/email": "/email",
    "/complainant/customer_no": "/customer_no",
    "/complainant/preferred_channel": "/preferred_channel",
    "/amount/value": "/amount",
    "/amount/currency": "/currency",
    "/occurred_at": "/occurred_on",
    "/reference": "/matter",
    "/text": "/letter_text",
}
"""Where the form has what the API calls otherwise."""


@dataclass(frozen=True, slots=True)
class _Way:
    """How a channel's report is made of the form: its shape, its own fields as form and API call them, and what reads
    it."""

    shape: type[BaseModel]
    fields: Mapping[str, str]
    read: Callable[[Any, Reception], Submission]


def _plain(body: ComplaintIn, _: Reception) -> Submission:
    return body.to_domain()


_PLAIN = _Way(ComplaintIn, {"channel_ref": "channel_ref", "branch": "branch"}, _plain)
_WAYS: dict[str, _Way] = {
    "phone": _Way(ComplaintIn, {"call_id": "channel_ref"}, _plain),
    "branch": _Way(branch.BranchIn, {name: name for name in ("branch", "staff", "form_no", "taken_on")}, branch.read),
    "letter": _Way(
        letter.LetterIn,
        {name: name for name in ("received_on", "register_no", "dated", "sender_address")},
        letter.read,
    ),
    "regulator": _Way(
        regulator.RegulatorIn,
        {
            "body": "body",
            "matter": "reference",
            "received_on": "received_on",
            "due_on": "due_on",
            "letter_text": "text",
        },
        regulator.read,
    ),
}


@router.get("/take", response_class=HTMLResponse)
async def take(request: Request, principal: Agent, channel: Annotated[Channel, Query()] = "phone") -> Response:
    """The empty form for a channel."""
    return _page(request, principal, channel, NOTHING)


@router.post("/take", response_class=HTMLResponse)
async def send(request: Request, principal: FormAgent, clock: ClockDep) -> Response:
    """Take the complaint in and show its reference. What is wrong is said beside the field, and nothing is lost."""
    sent = await given(request)
    channel: Channel = next((one for one in CHANNELS if one == sent.get("channel")), "phone")
    key = sent.get("key", "")
    key = key if key.isascii() and key.isalnum() and len(key) <= 64 else secrets.token_hex(16)
    zone = request.app.state.settings.zone
    way = _WAYS.get(channel, _PLAIN)
    try:
        body = model(way.shape, _values(sent, channel, way, zone))
        submission = way.read(body, Reception(zone, clock()))
        taking.check(principal, submission, now=clock())
        answer = await taking.take(request, principal, submission, body, key=key)
    except (Refused, Conflict) as error:
        if isinstance(error, IdempotencyKeyReused):
            sent.pop("key", None)  # changed since it was sent: sent once more, it is another complaint
        if isinstance(error, Invalid):
            error = _where_shown(error)
        return _page(request, principal, channel, not_kept(pages.translator(request), "take", sent, error))
    receipt = orjson.loads(bytes(answer.body))
    reference = receipt["reference"]
    return pages.render(
        request,
        "taken.html",
        201,
        reference=reference,
        id=receipt["id"],
        received_at=datetime.fromisoformat(receipt["received_at"]),
        address=f"{request.app.state.public_url}/track/{reference}",
        code=receipt["tracking"]["token"],
        replayed="idempotency-replayed" in answer.headers,
        channel=channel,
        tabs=tabs(pages.translator(request), principal, "/take"),
        **here(request, f"/take?channel={channel}"),
    )


def _values(sent: Mapping[str, str], channel: Channel, way: _Way, zone: Any) -> dict[str, Any]:
    """What was filled in, as the channel's shape has it."""
    values: dict[str, Any] = {name: sent.get(name) for name in ("narrative", "product", "desired_outcome", "language")}
    values["complainant"] = {name: sent[name] for name in _PERSON if name in sent}
    if "anonymous" in sent:
        values["complainant"] |= {"anonymous": True}
    if "amount" in sent:
        values["amount"] = {"value": sent["amount"].replace(",", ""), "currency": sent.get("currency", CURRENCIES[0])}
    if "occurred_on" in sent:
        try:
            day = date.fromisoformat(sent["occurred_on"])
            values["occurred_at"] = datetime.combine(day, time(), zone).astimezone(UTC)
        except ValueError:
            values["occurred_at"] = sent["occurred_on"]  # for the model to refuse
    values |= {named: sent.get(name) for name, named in way.fields.items()}
    return values | ({"channel": channel} if way.shape is ComplaintIn else {})


def _where_shown(error: Invalid) -> Invalid:
    errors = (FieldError(_SHOWN_AT.get(one.pointer, one.pointer), one.detail, one.code) for one in error.errors)
    return Invalid(error.detail, errors=tuple(errors))


def _page(request: Request, principal: Principal, channel: Channel, filled: Filled) -> Response:
    t, state = pages.translator(request), request.app.state
    return pages.render(
        request,
        "take.html",
        422 if filled.wrong else 200,
        channel=channel,
        channels=_channels(t, channel),
        filled=filled,
        names=NAMES,
        kept=False,
        key=secrets.token_hex(16),
        ways=[(code, t.label("way", code)) for code in ("email", "sms", "post", "phone")],
        tongues=[(code, t.label("language", code)) for code in ("zh-Hant", "zh-Hans", "en")],
        currencies=[(code, code) for code in CURRENCIES],
        today=state.clock().astimezone(state.settings.zone).date(),
        narrative_limit=NARRATIVE_LIMIT,
        tabs=tabs(t, principal, "/take"),
        **here(request, f"/take?channel={channel}"),
    )


def _channels(t: Translator, current: Channel) -> list[dict[str, Any]]:
    return [
        {"path": f"/take?channel={one}", "text": t.label("channel", one), "current": one == current} for one in CHANNELS
    ]
