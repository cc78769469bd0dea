"""Errors as RFC 9457 `application/problem+json`, mapped to HTTP here and nowhere else."""

from typing import Any

import orjson
from pydantic import BaseModel, Field
from starlette.responses import Response

from shared import errors
from shared.errors import FieldError, RedressError

MEDIA_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[RedressError], int, str], ...] = (
    (errors.Malformed, 400, "Bad request"),
    (errors.Unauthenticated, 401, "Not signed in"),
    (errors.Forbidden, 403, "Not allowed"),
    (errors.NotFound, 404, "Not found"),
    (errors.Gone, 410, "Gone"),
    (errors.TooManyRequests, 429, "Too many requests"),
    (errors.PreconditionFailed, 412, "Changed meanwhile"),
    (errors.Conflict, 409, "Conflict"),
    (errors.TooLarge, 413, "Too large"),
    (errors.Refused, 422, "Refused"),
    (errors.Unavailable, 503, "Unavailable"),
)


class FieldProblem(BaseModel):
    """One field that is wrong."""

    pointer: str = Field(description="RFC 6901 pointer into the body, or the parameter's name", examples=["/narrative"])
    detail: str
    code: str


class Problem(BaseModel):
    """RFC 9457 problem details. `code` is stable; `errors` names the fields that are wrong."""

    type: str = Field(examples=["urn:redress:problem:idempotency_key_reused"])
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = Field(None, description="The request's id, for whoever asks us about it")
    errors: list[FieldProblem] | None = None


def status_of(error: type[RedressError]) -> tuple[int, str]:
    for family, status, title in _STATUS:
        if issubclass(error, family):
            return status, title
    return 500, "Internal error"


def response(error: RedressError, *, request_id: str | None = None) -> Response:
    """The answer for a named error."""
    status, title = status_of(type(error))
    headers = {}
    if isinstance(error, (errors.Unavailable, errors.TooManyRequests)):
        headers["Retry-After"] = str(error.retry_after)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="redress"'
    return build(status, title, error.code, error.detail, error.errors, request_id=request_id, headers=headers)


def build(
    status: int,
    title: str,
    code: str,
    detail: str,
    fields: tuple[FieldError, ...] = (),
    *,
    request_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    body: dict[str, Any] = {
        "type": f"urn:redress:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if request_id:
        body["instance"] = f"urn:redress:request:{request_id}"
    if fields:
        body["errors"] = [{"pointer": f.pointer, "detail": f.detail, "code": f.code} for f in fields]
    return Response(orjson.dumps(body), status, headers=headers, media_type=MEDIA_TYPE)


def documented(*named: type[RedressError]) -> dict[int | str, dict[str, Any]]:
    """`responses=` of an endpoint: the named errors, and those that any endpoint may answer."""
    found: dict[int | str, dict[str, Any]] = {}
    everything: list[type[RedressError]] = [*named, errors.Malformed, errors.Unauthenticated, errors.Forbidden]
    everything += [errors.Invalid, errors.Unavailable]
    for error in everything:
        status, title = status_of(error)
        codes = found.setdefault(status, {"description": title, "content": {MEDIA_TYPE: {"schema": _schema()}}})
        if error.code not in codes["description"]:
            codes["description"] += f" · `{error.code}`"
    return found


def _schema() -> dict[str, str]:
    return {"$ref": "#/components/schemas/Problem"}


def fields_of(raised: list[Any], *, within: str = "") -> tuple[FieldError, ...]:
    """Pydantic's errors as ours. The offending value is left out: it may be personal data."""
    found = []
    for one in raised:
        place = [str(p) for p in one["loc"]]
        if place and place[0] in {"query", "path", "header", "cookie"}:
            pointer = place[-1]
        else:
            parts = place[1:] if place and place[0] == "body" else place
            pointer = within + "".join("/" + p.replace("~", "~0").replace("/", "~1") for p in parts)
        found.append(FieldError(pointer, _plain(one), one["type"]))
    return tuple(found)


def _plain(one: Any) -> str:
    """Pydantic's message, which names the rule; custom errors lose their prefix."""
    if one["type"] == "union_tag_invalid":  # the one message that quotes what was sent
        return "Input should have a tag that is known here"
    return str(one["msg"]).removeprefix("Value error, ")
