"""Who is told of deadlines beside the people in posts: systems by webhook, rooms by chat. One file, since its secrets
belong to whoever runs the desk and not into a database.

    [[subscriber]]
    name = "ops-room"                      # stable; names it in the delivery log
    format = "slack"                       # webhook (Standard Webhooks), wecom, teams, slack
    url = "https://hooks.example/..."
    secrets = ["whsec_..."]                # webhook alone: signed with each, so that one can be taken out later
    language = "en"
    kinds = ["missed", "escalated"]        # left out: all
    departments = ["cards"]                # left out: all
    min_level = 2                          # of escalations
"""

import base64
import binascii
import tomllib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.sla.domain.notice import NewNotice, NoticeKind


class SubscribersError(ValueError):
    """The file of subscribers cannot be used; the text says which entry and why, and never quotes a secret."""


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("is no http address")
    return url


def _secret(text: str) -> str:
    try:
        raw = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise ValueError("is no whsec_ secret in base64") from None
    if len(raw) < 24:
        raise ValueError("is shorter than 24 bytes")
    return text


class Subscriber(BaseModel):
    """One entry."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    format: Literal["webhook", "wecom", "teams", "slack"]
    url: Annotated[str, AfterValidator(_address)]
    secrets: tuple[Annotated[str, AfterValidator(_secret)], ...] = ()
    language: Literal["zh-Hant", "zh-Hans", "en"] = "en"
    kinds: tuple[NoticeKind, ...] = ()
    departments: tuple[str, ...] = ()
    min_level: int = Field(0, ge=0, le=9)

    @model_validator(mode="after")
    def _signed(self) -> "Subscriber":
        if (self.format == "webhook") != bool(self.secrets):
            raise ValueError("a webhook needs secrets, a chat room has none")
        return self

    def wants(self, notice: NewNotice) -> bool:
        if self.kinds and notice.kind not in self.kinds:
            return False
        if self.departments and notice.department not in self.departments:
            return False
        return notice.kind != "escalated" or notice.level >= self.min_level


def load(path: Path | None) -> tuple[Subscriber, ...]:
    """The subscribers in the file at `path`; none where there is no file. Raises SubscribersError."""
    if path is None:
        return ()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SubscribersError(f"{path.name}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise SubscribersError(f"{path.name}: is no TOML") from None
    found: list[Subscriber] = []
    problems: list[str] = []
    for number, entry in enumerate(raw.get("subscriber", []), 1):
        try:
            found.append(Subscriber.model_validate(entry))
        except ValidationError as error:
            for e in error.errors(include_input=False):
                place = ".".join(map(str, e["loc"]))
                problems.append(f"{path.name}: subscriber {number}: {place}: {e['msg'].removeprefix('Value error, ')}")
    names = [one.name for one in found]
    problems += [
        f"{path.name}: more than one subscriber is named {n}" for n in sorted({n for n in names if names.count(n) > 1})
    ]
    if problems:
        raise SubscribersError("\n".join(problems))
    return tuple(found)
