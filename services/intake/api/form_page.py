"""The form as people see it: `/form`, in a frame of another site or by itself, and `/embed.js`, which puts it there.

Who may frame it is said by the content security policy; the server refuses what it can see of others, too. All of it
works without script: then the whole form is posted and a page comes back.
"""

import secrets
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, Depends, Form, Query, Request
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import FileResponse, HTMLResponse, Response

from services.intake.api.form import from_our_own_page, own_origin, take_from
from services.intake.api.tracking_words import deadlines, field_error
from services.intake.domain.complaint import NARRATIVE_LIMIT, IdempotencyKeyReused
from services.intake.domain.form import LooksAutomatic, SessionEnded, check_human
from services.intake.schemas.form import FormComplaintIn
from services.intake.store import caller as store
from services.intake.usecases import form as usecases
from services.intake.usecases import voice
from shared.errors import Invalid
from shared.i18n import Translator, mark
from shared.web.access import public
from shared.web.app import ClockDep, Reading
from shared.web.pages import address, render, root_of, translator

FIELDS = {
    "narrative": mark("What happened?"),
    "desired_outcome": mark("What should we do to put it right?"),
    "occurred_on": mark("When did it happen?"),
    "amount": mark("Is there money in question?"),
    "name": mark("Your name"),
    "email": mark("E-mail address"),
    "phone": mark("Telephone number"),
    "customer_no": mark("Customer number"),
}
_WRONG = {
    "narrative": mark("Tell us what happened."),
    "name": mark("Write your name, or choose to stay unnamed."),
    "email": mark("Write an e-mail address such as name@example.com, or a telephone number."),
    "phone": mark("Write digits only, such as +852 2123 4567."),
    "amount": mark("Write an amount in digits, such as 1200.50."),
    "occurred_on": mark("Choose a day that is not in the future."),
}
AGAIN = mark("The form was open for too long. What you wrote is still here: send it once more.")
SLOWER = mark("That was very quick. Look it through once more and send it.")
CURRENCIES = ("HKD", "CNY", "TWD", "USD", "EUR", "GBP", "MOP", "SGD", "AUD", "JPY", "INR")
_HERE = Path(__file__).parents[1]

router = APIRouter(
    include_in_schema=False,
    default_response_class=HTMLResponse,
    dependencies=[Depends(public()), Depends(from_our_own_page)],
)
Text = Annotated[str, Form()]
Key = Annotated[str, Query(max_length=40)]


@router.get("/embed.js", response_class=Response)
async def embed() -> Response:
    """The script that a bank's page names."""
    headers = {"Cross-Origin-Resource-Policy": "cross-origin", "Cache-Control": "public, max-age=3600"}
    return FileResponse(_HERE / "static" / "embed.js", media_type="text/javascript", headers=headers)


@router.get("/form.css", response_class=Response)
async def look(tx: Reading, key: Key = "") -> Response:
    """A form's own colour."""
    colour = usecases.look_of(await usecases.live(tx, key)).colour
    return Response(f":root{{--brand:{colour}}}", media_type="text/css", headers={"Cache-Control": "no-cache"})


@router.get("/form")
async def show(
    request: Request,
    tx: Reading,
    clock: ClockDep,
    key: Key = "",
    origin: Annotated[str, Query(max_length=300)] = "",
) -> Response:
    """The empty form. `origin` is the page around it, which is told of what happens. Raises NotFound,
    OriginNotAllowed."""
    form = await usecases.live(tx, key)
    around = [origin] if origin else []
    if request.headers.get("sec-fetch-dest") in ("iframe", "frame", "embed", "object"):
        around.append(_referrer(request) or origin)  # who hides it and names none is nobody's
    for one in around:
        usecases.check_host(form, one, own_origin(request))
    host = around[0] if around else ""
    _, session = usecases.begin(form, request.app.state.desk.keys, None, now=clock())
    return _page(request, form, session, host=host)


@router.post("/form")
async def send(
    request: Request,
    clock: ClockDep,
    key: Key = "",
    session: Text = "",
    submission: Text = "",
    website: Text = "",
    narrative: Text = "",
    desired_outcome: Text = "",
    occurred_on: Text = "",
    amount: Text = "",
    currency: Text = "",
    anonymous: Text = "",
    name: Text = "",
    email: Text = "",
    phone: Text = "",
    customer_no: Text = "",
) -> Response:
    """Take in a form that was sent without script; what is wrong with it is said beside the field (422)."""
    state = request.app.state
    async with state.db.reading() as tx:
        form = await usecases.live(tx, key)
    given = {"narrative": narrative, "desired_outcome": desired_outcome, "occurred_on": occurred_on, "amount": amount}
    given |= {"name": name, "email": email, "phone": phone, "customer_no": customer_no, "currency": currency}
    given = {field: value.replace("\r\n", "\n").strip() for field, value in given.items()} | {"anonymous": anonymous}
    now = clock()
    submission = submission if submission.isalnum() and len(submission) <= 64 else secrets.token_hex(16)

    def again(status: int, wrong: dict[str, str] | None = None, refused: str = "") -> Response:
        _, fresh = usecases.begin(form, state.desk.keys, None, now=now)
        return _page(
            request, form, fresh, status=status, given=given, wrong=wrong, refused=refused, submission=submission
        )

    try:
        async with state.db.reading() as tx:
            _, opened = await usecases.resume(tx, state.desk.keys, session, now=now)
        if opened.form != form.id:
            raise SessionEnded
        check_human(opened, website, now=now)
        body = _parsed(given, translator(request).language, request)
        state.form_senders.spend(request)
        answer = await take_from(request, form, None, body, submission)
    except SessionEnded:
        return again(403, refused=AGAIN)
    except LooksAutomatic:
        return again(422, refused=SLOWER)
    except IdempotencyKeyReused:
        submission = secrets.token_hex(16)  # an older version had been sent: this is another complaint
        return again(409, refused=AGAIN)
    except ValidationError as error:
        found = _reasons(error.errors(include_url=False, include_input=False), translator(request))
        needed = ("name",) * (not name) + ("email",) * (not email and not phone) if not anonymous else ()
        return again(422, found | {field: _wrong(field, translator(request)) for field in needed})
    except Invalid as error:
        places = [one.pointer.removeprefix("/").replace("occurred_at", "occurred_on") for one in error.errors]
        return again(422, {place: _wrong(place, translator(request)) for place in places})
    receipt = orjson.loads(bytes(answer.body))
    async with state.db.reading() as tx:  # a new one: it sees what has just been written
        return await _done(request, tx, form, receipt["reference"], receipt["tracking"]["token"], now, whole=True)


@router.post("/form/done")
async def done(
    request: Request, tx: Reading, clock: ClockDep, key: Key = "", reference: Text = "", token: Text = ""
) -> Response:
    """The last words, for the script to put in the form's place."""
    form = await usecases.live(tx, key)
    return await _done(request, tx, form, reference[:100], token[:100], clock(), whole=False)


async def _done(
    request: Request, tx: AsyncSession, form: store.FormKey, reference: str, token: str, now: datetime, *, whole: bool
) -> Response:
    state = request.app.state
    tracked = await voice.track(tx, state.desk, reference, token)
    number = tracked.complaint.reference
    t = translator(request)
    return _framed(
        request,
        form,
        "form_done.html" if whole else "form_done_part.html",
        reference=number,
        received_at=tracked.complaint.received_at,
        deadlines=deadlines(tracked, t, now=now),
        link=f"{root_of(request)}/track/{number}?lang={t.language}#t={token}",
        code=token,
        host="",
    )


def _page(
    request: Request,
    form: store.FormKey,
    session: str,
    *,
    status: int = 200,
    host: str = "",
    given: dict[str, str] | None = None,
    wrong: dict[str, str] | None = None,
    refused: str = "",
    submission: str = "",
) -> Response:
    t = translator(request)
    state = request.app.state
    return _framed(
        request,
        form,
        "form.html",
        status,
        session=session,
        host=host,
        submission=submission or secrets.token_hex(16),
        given=dict.fromkeys((*FIELDS, "currency", "anonymous"), "") | (given or {}),
        wrong=wrong or {},
        refused=refused,
        names={name: t.gettext(text) for name, text in FIELDS.items()},
        reasons={name: _wrong(name, t) for name in FIELDS},
        currencies=CURRENCIES,
        today=state.clock().astimezone(state.settings.zone).date().isoformat(),
        narrative_limit=NARRATIVE_LIMIT,
        file_limit=state.settings.form_file_max,
    )


def _framed(request: Request, form: store.FormKey, template: str, status: int = 200, **context: Any) -> Response:
    """A page that the form's sites may frame, and nobody else."""
    look = usecases.look_of(form)
    logo = "/".join(look.logo.split("/")[:3]) if look.logo else ""
    root = root_of(request)
    path = f"{root}/form?key={form.id}&origin={context['host']}" if context["host"] else f"{root}/form?key={form.id}"
    here = {"here": lambda **changes: address(request, **changes)} if request.method == "GET" else {}
    response = render(request, template, status, form=form, look=look, path=path, **here, **context)
    response.headers["Referrer-Policy"] = "same-origin"  # or browsers hide from us that a post is from our own page
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' {logo}; "
        f"form-action 'self'; base-uri 'none'; frame-ancestors 'self' {form.origins}"
    )
    return response


def _referrer(request: Request) -> str:
    """The origin of the page that the browser comes from; empty where it does not tell. `embed.js` makes it tell."""
    parts = urlsplit(request.headers.get("referer", ""))
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _parsed(given: dict[str, str], language: str, request: Request) -> FormComplaintIn:
    """Raises ValidationError, Invalid."""
    values: dict[str, Any] = {
        name: given[name] or None for name in ("narrative", "desired_outcome", "name", "email", "phone", "customer_no")
    }
    values["narrative"] = given["narrative"]
    if given["anonymous"]:
        values |= {"anonymous": True} | dict.fromkeys(("name", "email", "phone", "customer_no"))
    if given["occurred_on"]:
        zone = request.app.state.settings.zone
        try:
            day = datetime.strptime(given["occurred_on"], "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            values["occurred_at"] = given["occurred_on"]  # for the model to refuse
        else:
            values["occurred_at"] = datetime.combine(day, time(), zone).astimezone(UTC)
    if given["amount"]:
        values["amount"] = {"value": given["amount"].replace(",", ""), "currency": given["currency"] or CURRENCIES[0]}
    return FormComplaintIn(**values, language=language)


def _reasons(errors: list[Any], t: Translator) -> dict[str, str]:
    found: dict[str, str] = {}
    for error in errors:
        name = str(error["loc"][0]).replace("occurred_at", "occurred_on")
        found[name] = (
            _wrong(name, t) if name in _WRONG and error["type"] != "string_too_long" else field_error(error, t)
        )
    return found


def _wrong(name: str, t: Translator) -> str:
    return t.gettext(_WRONG.get(name, mark("Write something here first.")))
