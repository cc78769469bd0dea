"""Named errors. Each carries a stable `code`; `shared.web.problems` maps the families to HTTP once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field. `pointer` is an RFC 6901 JSON pointer into the body, or a parameter's name."""

    pointer: str
    detail: str
    code: str = "invalid"


class RedressError(Exception):
    """Base of every error that a caller may see. `detail` is plain words and never holds personal data."""

    code: str = "error"

    def __init__(self, detail: str = "", *, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail or self.__class__.__doc__ or self.code)
        self.detail = detail or (self.__class__.__doc__ or self.code).strip()
        self.errors = errors


class Refused(RedressError):
    """The request was understood and a rule forbids it."""

    code = "refused"


class Invalid(Refused):
    """The request holds values that cannot be taken."""

    code = "invalid_request"


class Malformed(RedressError):
    """The request cannot be read."""

    code = "malformed_request"


class Conflict(RedressError):
    """The thing is no longer in the state that the request assumes."""

    code = "conflict"


class PreconditionFailed(Conflict):
    """The thing has changed since it was read (If-Match)."""

    code = "precondition_failed"


class NotFound(RedressError):
    """There is no such thing, or it is not for the caller to see."""

    code = "not_found"


class Gone(RedressError):
    """It was there and has been erased for good."""

    code = "gone"


class TooManyRequests(RedressError):
    """More requests than this caller may send; wait a little."""

    code = "too_many_requests"
    retry_after = 1  # seconds


class Unauthenticated(RedressError):
    """A valid key or token is needed."""

    code = "unauthenticated"


class Forbidden(RedressError):
    """The key or token does not allow this."""

    code = "forbidden"


class TooLarge(RedressError):
    """The request is larger than this endpoint takes."""

    code = "payload_too_large"


class Unavailable(RedressError):
    """Something that the service needs is down; nothing was kept of this request, send it again."""

    code = "unavailable"
    retry_after = 2  # seconds


class Overloaded(Unavailable):
    """More requests are waiting than can be answered in time; nothing was kept of this one, send it again."""

    code = "overloaded"
