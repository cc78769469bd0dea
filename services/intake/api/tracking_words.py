"""What the tracking page says: how a complaint stands, what happens by when, what went wrong, in plain words.

Each text is marked here and translated where it is shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from mimetypes import guess_extension
from typing import Any

from services.intake.domain.voice import STAGES, Standing, deadline_state, stage
from services.intake.usecases.voice import Tracked
from shared.i18n import Translator, mark

UNKNOWN = mark("We find no complaint under this reference and access code. Check both and try again.")
ENDED = mark(
    "Your visit has ended because nothing happened for an hour. Enter your access code again. What you had just "
    "written was not sent: your browser's Back button may still show it."
)
CANNOT_WITHDRAW = mark("This complaint has already been decided, so it can no longer be withdrawn.")
CANNOT_RATE = mark("You can rate how we dealt with your complaint once we have answered it.")
CANNOT_DISPUTE = mark("There is no outcome yet that you could object to.")
ALREADY_DISPUTED = mark("You have already objected to this outcome. Send us what you want to add as a message.")
SENT_DIFFERENTLY = mark("This message was sent before with other words. It was not changed; send a new one.")
NO_FILE = mark("Choose a file first.")
FILE_REFUSED = mark("We cannot take this kind of file. None was added.")
FILE_TOO_LARGE = mark("A file is too large. None was added.")
TOO_MANY_FILES = mark("These are too many files: at most ten at once, and fifty in all. None was added.")

DONE = {
    "files": mark("Your files have been added. We have them."),
    "message": mark("Your message has been sent. We have it."),
    "rated": mark("Thank you. Your rating has been kept."),
    "withdrawn": mark("Your complaint is withdrawn."),
    "disputed": mark("We have your objection and look at the outcome again."),
}

FIELDS = {
    "text": mark("Write to us"),
    "grounds": mark("What do you not agree with?"),
    "overall": mark("All in all"),
    "staff": mark("The staff you dealt with"),
    "product": mark("The product or service that you complained about"),
    "handling": mark("How we dealt with your complaint"),
    "comment": mark("What should we do better?"),
    "reason": mark("Why do you withdraw it?"),
}

_FILE_STATES = {
    "quarantined": mark("is being checked"),
    "clean": mark("received"),
    "infected": mark("not taken: it holds a virus"),
    "refused": mark("not taken: files of this kind cannot be"),
}

_STEPS = {
    "received": mark("Received"),
    "routed": mark("With the department"),
    "in_progress": mark("Being looked into"),
    "answered": mark("Answered"),
    "closed": mark("Closed"),
}
_SITUATIONS = {
    "received": (
        mark("We have received your complaint"),
        mark("We are reading it and passing it to the department that can deal with it. You need do nothing now."),
    ),
    "routed": (
        mark("Your complaint is with the department that deals with it"),
        mark("A member of staff will take it on. You need do nothing now."),
    ),
    "in_progress": (
        mark("We are looking into your complaint"),
        mark("If we need something from you, we will write to you. You can write to us below at any time."),
    ),
    "answered": (
        mark("We have answered your complaint"),
        mark("Please read our reply. If you do not agree with it, you can tell us below."),
    ),
    "closed": (
        mark("Your complaint is closed"),
        mark("Nothing more is planned. You can still write to us below."),
    ),
    "withdrawn": (
        mark("You have withdrawn your complaint"),
        mark("We no longer work on it. If you change your mind, write to us below or make a new complaint."),
    ),
    "disputed": (
        mark("We are looking at the outcome again"),
        mark("You have told us that you do not agree. Somebody who has not decided your complaint before looks at it."),
    ),
}
OUTCOMES = {
    "upheld": mark("We agree with your complaint."),
    "partly_upheld": mark("We agree with part of your complaint."),
    "rejected": mark("We do not agree with your complaint."),
    "goodwill": mark("We have made you an offer as a gesture of goodwill."),
    "withdrawn": mark("Your complaint was closed because it was withdrawn."),
}
_PROMISES = {
    "first_contact": mark("We get in touch with you"),
    "acknowledge": mark("We confirm to you that we have your complaint"),
    "resolve": mark("We settle your complaint at once if we can"),
    "provisional_credit": mark("We credit the amount in dispute for the time being, unless we have answered"),
    "interim": mark("We answer you, or tell you why it takes longer"),
    "final": mark("We give you our final answer"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the line. `state`: done, now or ahead."""

    text: str
    state: str


@dataclass(frozen=True, slots=True)
class Situation:
    """How a complaint stands, in words: what it is, what it means, and the line of steps (none once it is withdrawn).
    `outcome` is what the bank has decided, in words."""

    headline: str
    meaning: str
    steps: tuple[Step, ...]
    outcome: str


@dataclass(frozen=True, slots=True)
class Promise:
    """What happens by when. `state`: running, met, late or missed; `said`: how it stands. Both are translated."""

    promise: str
    state: str
    said: str


def situation(standing: Standing) -> Situation:
    """For the page; the texts are translated there."""
    at = stage(standing)
    words = _SITUATIONS[at]
    if standing.withdrawn_at is not None:
        words = _SITUATIONS["withdrawn"]
    elif standing.is_disputed:
        at, words = "in_progress", _SITUATIONS["disputed"]
    now = STAGES.index(at)
    steps = tuple(
        Step(_STEPS[name], "done" if i < now or at == "closed" else "now" if i == now else "ahead")
        for i, name in enumerate(STAGES)
    )
    outcome = OUTCOMES.get(standing.outcome or "", "")
    return Situation(*words, () if standing.withdrawn_at is not None else steps, outcome)


def deadlines(tracked: Tracked, t: Translator, *, now: datetime) -> list[Promise]:
    """What happens by when; nothing once the complaint is withdrawn."""
    if tracked.standing.withdrawn_at is not None:
        return []
    over = tracked.standing.status == "closed"
    return [_promise(one, t, now=now, over=over) for one in tracked.deadlines]


def _promise(one: Mapping[str, str], t: Translator, *, now: datetime, over: bool) -> Promise:
    due_at = datetime.fromisoformat(one["due_at"])
    state = deadline_state(one["state"], due_at, now=now)
    due = _moment(due_at, t)
    promise = t.gettext(_PROMISES[one["step"]]) if one["step"] in _PROMISES else t.label("step", one["step"])
    match state:
        case "met":
            said = t.gettext("Done on {day}, in time.", day=t.date(datetime.fromisoformat(one["met_at"])))
        case "late":
            met = t.date(datetime.fromisoformat(one["met_at"]))
            said = t.gettext("Done on {day}. It was due by {due}: we were late, and we are sorry.", day=met, due=due)
        case "missed" if over:
            said = t.gettext("This was due by {due}. We did not keep to it, and we are sorry.", due=due)
        case "missed":
            said = t.gettext("This was due by {due} and is not done yet. We are late, and we are sorry.", due=due)
        case _:
            said = t.gettext("By {due}", due=due)
    return Promise(promise, state, said)


def files(found: Sequence[Mapping[str, Any]], t: Translator) -> list[dict[str, str]]:
    """What came along, in words: kind, size, and what became of it. What is erased is no longer spoken of."""
    return [
        {
            "kind": (guess_extension(one["media_type"]) or "." + one["media_type"]).removeprefix(".").upper(),
            "size": t.gettext("{n} kB", n=t.number(max(1, round(one["size"] / 1000)))),
            "state": t.gettext(_FILE_STATES[one["state"]]),
            "name": one["name"] or "",
            "url": one["url"] or "",
        }
        for one in found
        if one["state"] in _FILE_STATES
    ]


def _moment(due_at: datetime, t: Translator) -> str:
    """The day of a deadline that ends with its day, else day and time."""
    local = due_at.astimezone(t.zone)
    return t.date(due_at) if (local.hour, local.minute) == (23, 59) else t.datetime(due_at)


def field_error(error: Mapping[str, Any], t: Translator) -> str:
    """Why a field cannot be taken, as pydantic found it, in plain words and translated."""
    name = error["loc"][0]
    if name in ("overall", "staff", "product", "handling"):
        return t.gettext("Choose a mark from 1 to 5.")
    match error["type"]:
        case "string_too_long" | "too_long":
            return t.gettext("This is too long: at most {n} characters.", n=t.number(error["ctx"]["max_length"]))
        case "blank" | "missing":
            return t.gettext("Write something here first.")
        case _:
            return t.gettext("This holds characters that we cannot take. Type it anew.")
