"""A typed client of Redress intake in one file: copy it, it needs `httpx` alone.

Written by `make client` from intake's OpenAPI document; do not edit. A call that may be repeated is repeated while
intake is away or asks to wait; one that takes something in is given an idempotency key, so that it arrives once.

    with Intake("https://complaints.example.com/intake", key) as intake:
        receipt = intake.complaints_receive({
            "channel": "phone",
            "narrative": "Charged twice",
            "complainant": {"anonymous": True},
        })
        print(receipt["reference"])
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, NotRequired, Self, TypedDict, cast
from urllib.parse import quote

import httpx

JsonObject = dict[str, Any]
_AGAIN = frozenset((429, 502, 503, 504))
_REPEATABLE = frozenset(("GET", "HEAD", "PUT", "DELETE"))


class FieldProblem(TypedDict):
    """One field that is wrong: `pointer` is an RFC 6901 pointer into the body, or a parameter's name."""

    pointer: str
    detail: str
    code: str


class Problem(Exception):
    """An answer that is no success, as RFC 9457 tells it. `code` is stable."""

    def __init__(self, status: int, code: str, detail: str, errors: list[FieldProblem]) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail, self.errors = status, code, detail, errors


class _Caller:
    """Holds the connection. `patience`: seconds for which a call is repeated."""

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        timeout: float = 30.0,
        patience: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(base_url=base_url.rstrip("/"), headers=headers, timeout=timeout, transport=transport)
        self._patience = patience

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def _call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> httpx.Response:
        sent = {name: str(value) for name, value in (headers or {}).items() if value is not None}
        if headers is not None and "Idempotency-Key" in headers:
            sent.setdefault("Idempotency-Key", str(uuid.uuid4()))
        repeatable = method in _REPEATABLE or "Idempotency-Key" in sent
        asked = {name: value for name, value in (params or {}).items() if value is not None}
        end, pause = time.monotonic() + self._patience, 0.25
        while True:
            last = not repeatable or time.monotonic() + pause > end
            try:
                response = self._http.request(method, path, json=json, content=content, params=asked, headers=sent)
            except httpx.TransportError:
                if last:
                    raise
            else:
                if response.is_success:
                    return response
                if last or response.status_code not in _AGAIN:
                    raise _problem(response)
                told = response.headers.get("Retry-After", "")
                pause = max(pause, float(told)) if told.isdigit() else pause
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
            pause = min(pause * 2, 10.0)


def _problem(response: httpx.Response) -> Problem:
    try:
        told = response.json()
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    code, detail = str(told.get("code", "http_error")), str(told.get("detail", response.reason_phrase))
    return Problem(response.status_code, code, detail, told.get("errors") or [])


def _part(value: str) -> str:
    return quote(value, safe="")


class AmountIn(TypedDict):
    """Money: a decimal and an ISO 4217 code."""

    value: float | str
    currency: str


class BranchIn(TypedDict):
    """A complaint taken at a branch. A form filled in earlier counts from the day on which it was taken,
    `taken_on`.

    A minor needs a representative, with relation and authority. Scans of the form are tickets of uploads in
    `attachments`, or parts of a multipart request. `form_no` is the branch's own number: the same form keyed
    in again is no second complaint.
    """

    narrative: str
    complainant: ComplainantIn
    representative: NotRequired[RepresentativeIn | None]
    branch: str
    product: NotRequired[str | None]
    amount: NotRequired[AmountIn | None]
    occurred_at: NotRequired[str | None]
    transaction_ref: NotRequired[str | None]
    desired_outcome: NotRequired[str | None]
    language: NotRequired[Literal["zh-Hant", "zh-Hans", "en"] | None]
    jurisdiction: NotRequired[str | None]
    detail: NotRequired[dict[str, str] | None]
    attachments: NotRequired[list[str] | None]
    staff: str
    in_person: NotRequired[bool]
    form_no: NotRequired[str | None]
    taken_on: NotRequired[str | None]
    minor: NotRequired[bool]


class ComplainantIn(TypedDict):
    """Who complains: a name and, where known, how to reach them; or `{"anonymous": true}`."""

    anonymous: NotRequired[bool]
    name: NotRequired[str | None]
    phone: NotRequired[str | None]
    email: NotRequired[str | None]
    customer_no: NotRequired[str | None]
    preferred_channel: NotRequired[Literal["email", "sms", "post", "phone"] | None]


class ComplaintIn(TypedDict):
    """A complaint as a channel sends it."""

    channel: Literal["phone", "web_chat", "mobile", "web_form", "email", "letter", "branch", "social", "regulator"]
    narrative: str
    complainant: ComplainantIn
    channel_ref: NotRequired[str | None]
    branch: NotRequired[str | None]
    product: NotRequired[str | None]
    amount: NotRequired[AmountIn | None]
    occurred_at: NotRequired[str | None]
    received_at: NotRequired[str | None]
    desired_outcome: NotRequired[str | None]
    language: NotRequired[Literal["zh-Hant", "zh-Hans", "en"] | None]
    jurisdiction: NotRequired[str | None]
    detail: NotRequired[dict[str, str] | None]
    attachments: NotRequired[list[str] | None]


class ComplaintOut(TypedDict):
    """A complaint and how it stands, as far as intake has heard.

    `narrative`, `complainant`, `desired_outcome`, `detail` and `channel_ref` only for staff whose work needs
    them.
    """

    id: str
    reference: str
    channel: str
    status: str
    received_at: str
    type: str | None
    severity: str | None
    department: str | None
    outcome: str | None
    escalation_level: int
    deadlines: list[Deadline]
    branch: str | None
    product: str | None
    language: str | None
    jurisdiction: str | None
    imported: bool
    narrative: NotRequired[str | None]
    complainant: NotRequired[JsonObject | None]
    desired_outcome: NotRequired[str | None]
    detail: NotRequired[dict[str, str] | None]
    channel_ref: NotRequired[str | None]
    facts: NotRequired[JsonObject | None]
    erased: NotRequired[bool | None]


class Deadline(TypedDict):
    """One deadline. `state`: running, met, late (met after it was due) or missed."""

    step: str
    due_at: str
    state: str
    met_at: NotRequired[str | None]


class ErasureOut(TypedDict):
    """The complaint's personal data is gone. `ground`: request or retention."""

    complaint_id: str
    ground: str
    erased_by: str
    erased_at: str


class HoldIn(TypedDict):
    """Why a complaint must not be erased: a file number, a court. No personal data: it is shown to whoever asks."""

    reason: str


class HoldOut(TypedDict):
    """HoldOut"""

    complaint_id: str
    reason: str
    placed_by: str
    placed_at: str


class LetterIn(TypedDict):
    """A complaint made by letter. `received_on`, in the bank's time zone, governs the clock, whenever it is
    keyed in.

    The scans are tickets of uploads in `attachments`, or parts of a multipart request. `register_no` is the
    mail room's own number: the same letter keyed in again is no second complaint.
    """

    narrative: str
    complainant: ComplainantIn
    representative: NotRequired[RepresentativeIn | None]
    branch: NotRequired[str | None]
    product: NotRequired[str | None]
    amount: NotRequired[AmountIn | None]
    occurred_at: NotRequired[str | None]
    transaction_ref: NotRequired[str | None]
    desired_outcome: NotRequired[str | None]
    language: NotRequired[Literal["zh-Hant", "zh-Hans", "en"] | None]
    jurisdiction: NotRequired[str | None]
    detail: NotRequired[dict[str, str] | None]
    attachments: NotRequired[list[str] | None]
    received_on: str
    postal_ref: NotRequired[str | None]
    register_no: NotRequired[str | None]
    dated: NotRequired[str | None]
    sender_address: NotRequired[str | None]
    pages: NotRequired[int | None]


class LinkOut(TypedDict):
    """Two complaints of one person that may be one matter. `score` is 0 to 1; `reasons` are codes: near_text,
    same_subject, same_amount, same_day, same_transaction, quotes_reference, same_product, same_branch.

    `governs_from` is the earliest receipt among all complaints confirmed to be the matter of the later one.
    """

    id: str
    state: Literal["suggested", "confirmed", "rejected"]
    score: float
    reasons: list[str]
    earlier: LinkedOut
    later: LinkedOut
    governs_from: str
    created_at: str
    decided_at: str | None
    decided_by: str | None


class LinkPage(TypedDict):
    """`next` is the cursor of the next page, null on the last."""

    items: list[LinkOut]
    next: str | None


class LinkedOut(TypedDict):
    """One of the two complaints in a link."""

    id: str
    reference: str
    channel: str
    received_at: str
    product: str | None
    branch: str | None


class LinksOut(TypedDict):
    """A complaint's links, and since when its matter runs."""

    items: list[LinkOut]
    governs_from: str


class PhoneIn(TypedDict):
    """A complaint made by phone. Without a narrative, it is what the customer said in the transcript.

    `call_id` is the call's own number: the same call reported again is no second complaint.
    """

    narrative: NotRequired[str | None]
    complainant: NotRequired[ComplainantIn | None]
    representative: NotRequired[RepresentativeIn | None]
    branch: NotRequired[str | None]
    product: NotRequired[str | None]
    amount: NotRequired[AmountIn | None]
    occurred_at: NotRequired[str | None]
    transaction_ref: NotRequired[str | None]
    desired_outcome: NotRequired[str | None]
    language: NotRequired[Literal["zh-Hant", "zh-Hans", "en"] | None]
    jurisdiction: NotRequired[str | None]
    detail: NotRequired[dict[str, str] | None]
    attachments: NotRequired[list[str] | None]
    call_id: str
    agent: NotRequired[str | None]
    recording: NotRequired[str | None]
    transcript: NotRequired[list[Turn] | None]
    caller_number: NotRequired[str | None]
    call_language: NotRequired[str | None]
    started_at: NotRequired[str | None]
    seconds: NotRequired[int | None]


class ReceiptOut(TypedDict):
    """A complaint was taken in."""

    id: str
    reference: str
    status: str
    received_at: str
    tracking: Tracking


class RegulatorIn(TypedDict):
    """A complaint that a regulator or ombudsman refers. Without a narrative, it is what that body writes.

    `body` and `reference` name the referral: sent again, it is no second complaint.
    """

    narrative: NotRequired[str | None]
    complainant: ComplainantIn
    representative: NotRequired[RepresentativeIn | None]
    branch: NotRequired[str | None]
    product: NotRequired[str | None]
    amount: NotRequired[AmountIn | None]
    occurred_at: NotRequired[str | None]
    transaction_ref: NotRequired[str | None]
    desired_outcome: NotRequired[str | None]
    language: NotRequired[Literal["zh-Hant", "zh-Hans", "en"] | None]
    jurisdiction: NotRequired[str | None]
    detail: NotRequired[dict[str, str] | None]
    attachments: NotRequired[list[str] | None]
    body: str
    reference: str
    received_on: str
    due_on: NotRequired[str | None]
    text: str


class RepresentativeIn(TypedDict):
    """Who acts for the complainant: in which relation, and how the right to act was shown."""

    name: str
    relation: str
    authority: str
    phone: NotRequired[str | None]
    email: NotRequired[str | None]


class ReviewIn(TypedDict):
    """ReviewIn"""

    review_on: str


class SocialIn(TypedDict):
    """A complaint made on a social network. Without a complainant, it is whoever holds the handle.

    `network` and `post_id` (or `url`) name the post: reported again, it is no second complaint.
    """

    narrative: str
    complainant: NotRequired[ComplainantIn | None]
    representative: NotRequired[RepresentativeIn | None]
    branch: NotRequired[str | None]
    product: NotRequired[str | None]
    amount: NotRequired[AmountIn | None]
    occurred_at: NotRequired[str | None]
    transaction_ref: NotRequired[str | None]
    desired_outcome: NotRequired[str | None]
    language: NotRequired[Literal["zh-Hant", "zh-Hans", "en"] | None]
    jurisdiction: NotRequired[str | None]
    detail: NotRequired[dict[str, str] | None]
    attachments: NotRequired[list[str] | None]
    network: str
    post_id: NotRequired[str | None]
    url: NotRequired[str | None]
    handle: str
    display_name: NotRequired[str | None]
    visibility: Literal["public", "private"]
    posted_at: NotRequired[str | None]


class SubjectIn(TypedDict):
    """By what a person is known; one is enough."""

    customer_no: NotRequired[str | None]
    phone: NotRequired[str | None]
    email: NotRequired[str | None]


class SubjectOut(TypedDict):
    """All that is kept of one person."""

    exported_at: str
    complaints: list[JsonObject]


class TrackedOut(TypedDict):
    """The complainant's view."""

    reference: str
    status: str
    received_at: str
    deadlines: list[Deadline]


class Tracking(TypedDict):
    """How the complainant looks in: `url` with the token in the header `X-Tracking-Token` (or `?token=`)."""

    url: str
    token: str


class Turn(TypedDict):
    """Somebody's words in a conversation; the customer is whoever called or wrote. `at` a time, or `second`
    since the conversation began.
    """

    role: Literal["customer", "agent", "bot", "system"]
    text: str
    at: NotRequired[str | None]
    second: NotRequired[float | None]


class Visitor(TypedDict):
    """Who chats: a `customer` whom the bank's own sign-in knows (`customer_no`, `name`), or somebody
    `anonymous`, with the chat system's own mark for the browser (`visitor_id`).
    """

    kind: Literal["customer", "anonymous"]
    customer_no: NotRequired[str | None]
    name: NotRequired[str | None]
    visitor_id: NotRequired[str | None]


class VulnerabilitiesOut(TypedDict):
    """VulnerabilitiesOut"""

    items: list[VulnerabilityOut]
    next: NotRequired[str | None]


class VulnerabilityIn(TypedDict):
    """What staff should know to treat a person fairly. `review_on`: at most a year ahead."""

    kind: Literal["health", "life_event", "resilience", "capability", "minor"]
    note: str
    review_on: str


class VulnerabilityOut(TypedDict):
    """`note` only where it is read one by one."""

    id: str
    complaint_id: str
    kind: str
    review_on: str
    noted_by: str
    noted_at: str
    lifted_at: str | None
    note: NotRequired[str | None]


class WebChatIn(TypedDict):
    """A complaint made in a chat. Without a narrative, it is what the customer wrote in the transcript; without
    a complainant, it is the visitor's.

    `session_id` is the chat's own number: the same chat reported again is no second complaint.
    """

    narrative: NotRequired[str | None]
    complainant: NotRequired[ComplainantIn | None]
    representative: NotRequired[RepresentativeIn | None]
    branch: NotRequired[str | None]
    product: NotRequired[str | None]
    amount: NotRequired[AmountIn | None]
    occurred_at: NotRequired[str | None]
    transaction_ref: NotRequired[str | None]
    desired_outcome: NotRequired[str | None]
    language: NotRequired[Literal["zh-Hant", "zh-Hans", "en"] | None]
    jurisdiction: NotRequired[str | None]
    detail: NotRequired[dict[str, str] | None]
    attachments: NotRequired[list[str] | None]
    session_id: str
    visitor: Visitor
    transcript: NotRequired[list[Turn] | None]
    started_at: NotRequired[str | None]
    ended_at: NotRequired[str | None]
    page: NotRequired[str | None]


class Intake(_Caller):
    """Intake's API. Each method is one call; raises `Problem`."""

    def complaints_receive(self, body: ComplaintIn, *, idempotency_key: str | None = None) -> ReceiptOut:
        """Take in a complaint; repeated with the same `Idempotency-Key` or `channel_ref`, it answers the same.

        201 means that the complaint is durably kept.
        """
        return cast(
            "ReceiptOut",
            self._call("POST", "/v1/complaints", json=body, headers={"Idempotency-Key": idempotency_key}).json(),
        )

    def complaints_read(self, id: str) -> ComplaintOut:
        """A complaint and how it stands. A channel's key sees its own channels' complaints, without personal data;
        staff whose work needs it see what was said and by whom, and that they looked is audited.
        """
        return cast("ComplaintOut", self._call("GET", f"/v1/complaints/{_part(id)}").json())

    def complaints_track(
        self, reference: str, *, token: str | None = None, x_tracking_token: str | None = None
    ) -> TrackedOut:
        """The complainant's view of their complaint, opened by the tracking token of the receipt."""
        return cast(
            "TrackedOut",
            self._call(
                "GET",
                f"/v1/track/{_part(reference)}",
                params={"token": token},
                headers={"x-tracking-token": x_tracking_token},
            ).json(),
        )

    def channels_from_phone(self, body: PhoneIn, *, idempotency_key: str | None = None) -> ReceiptOut:
        """Take in a complaint from the phone centre; the same `call_id` again answers the same."""
        return cast(
            "ReceiptOut",
            self._call("POST", "/v1/channels/phone", json=body, headers={"Idempotency-Key": idempotency_key}).json(),
        )

    def channels_from_web_chat(self, body: WebChatIn, *, idempotency_key: str | None = None) -> ReceiptOut:
        """Take in a complaint from web chat; the same `session_id` again answers the same."""
        return cast(
            "ReceiptOut",
            self._call("POST", "/v1/channels/web-chat", json=body, headers={"Idempotency-Key": idempotency_key}).json(),
        )

    def channels_from_letter(self, body: LetterIn, *, idempotency_key: str | None = None) -> ReceiptOut:
        """Take in a complaint that came by letter, counting from the day of receipt; the same `register_no` again
        answers the same.
        """
        return cast(
            "ReceiptOut",
            self._call("POST", "/v1/channels/letter", json=body, headers={"Idempotency-Key": idempotency_key}).json(),
        )

    def channels_from_branch(self, body: BranchIn, *, idempotency_key: str | None = None) -> ReceiptOut:
        """Take in a complaint from a branch counter; the same `form_no` of the branch again answers the same."""
        return cast(
            "ReceiptOut",
            self._call("POST", "/v1/channels/branch", json=body, headers={"Idempotency-Key": idempotency_key}).json(),
        )

    def channels_from_social(self, body: SocialIn, *, idempotency_key: str | None = None) -> ReceiptOut:
        """Take in a complaint from a social network; the same post again answers the same."""
        return cast(
            "ReceiptOut",
            self._call("POST", "/v1/channels/social", json=body, headers={"Idempotency-Key": idempotency_key}).json(),
        )

    def channels_from_regulator(self, body: RegulatorIn, *, idempotency_key: str | None = None) -> ReceiptOut:
        """Take in what a regulator or ombudsman refers; the same `body` and `reference` again answer the same."""
        return cast(
            "ReceiptOut",
            self._call(
                "POST", "/v1/channels/regulator", json=body, headers={"Idempotency-Key": idempotency_key}
            ).json(),
        )

    def privacy_erase(self, id: str) -> ErasureOut:
        """Erase a closed complaint's personal data for good, on the complainant's request. Figures and audit trail
        stay.
        """
        return cast("ErasureOut", self._call("POST", f"/v1/complaints/{_part(id)}/erasure").json())

    def privacy_read_hold(self, id: str) -> HoldOut:
        """The legal hold on a complaint."""
        return cast("HoldOut", self._call("GET", f"/v1/complaints/{_part(id)}/hold").json())

    def privacy_place_hold(self, id: str, body: HoldIn) -> HoldOut:
        """Forbid the erasure of a complaint, on request and by retention. A hold that is there stays as it was."""
        return cast("HoldOut", self._call("PUT", f"/v1/complaints/{_part(id)}/hold", json=body).json())

    def privacy_lift_hold(self, id: str) -> None:
        """Lift the hold."""
        self._call("DELETE", f"/v1/complaints/{_part(id)}/hold")

    def privacy_subject_access(self, body: SubjectIn) -> SubjectOut:
        """All that is kept of a person, for them to be given. Everything erased is gone from it. Each complaint's
        export is audited.
        """
        return cast("SubjectOut", self._call("POST", "/v1/subject-access", json=body).json())

    def privacy_note_vulnerability(self, id: str, body: VulnerabilityIn) -> VulnerabilityOut:
        """Note what makes the complainant vulnerable. Those who handle the complaint can read it; others learn only
        that there is something.
        """
        return cast(
            "VulnerabilityOut", self._call("POST", f"/v1/complaints/{_part(id)}/vulnerabilities", json=body).json()
        )

    def privacy_read_vulnerabilities(self, id: str) -> VulnerabilitiesOut:
        """What is known of the complainant's vulnerability. Each reading is audited."""
        return cast("VulnerabilitiesOut", self._call("GET", f"/v1/complaints/{_part(id)}/vulnerabilities").json())

    def privacy_review(self, id: str, vulnerability: str, body: ReviewIn) -> VulnerabilityOut:
        """It still holds; look again on another day."""
        return cast(
            "VulnerabilityOut",
            self._call(
                "POST", f"/v1/complaints/{_part(id)}/vulnerabilities/{_part(vulnerability)}/review", json=body
            ).json(),
        )

    def privacy_lift(self, id: str, vulnerability: str) -> VulnerabilityOut:
        """It no longer holds."""
        return cast(
            "VulnerabilityOut",
            self._call("POST", f"/v1/complaints/{_part(id)}/vulnerabilities/{_part(vulnerability)}/lift").json(),
        )

    def privacy_due_for_review(
        self, *, until: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> VulnerabilitiesOut:
        """Vulnerabilities to be looked at again until a day (today unless told), without their notes."""
        return cast(
            "VulnerabilitiesOut",
            self._call("GET", "/v1/vulnerabilities", params={"until": until, "limit": limit, "cursor": cursor}).json(),
        )

    def links_of_complaint(self, id: str) -> LinksOut:
        """The links in which a complaint stands, whatever their state, oldest first."""
        return cast("LinksOut", self._call("GET", f"/v1/complaints/{_part(id)}/links").json())

    def links_links(
        self,
        *,
        state: Literal["suggested", "confirmed", "rejected"] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> LinkPage:
        """Links, oldest first; `state=suggested` is the work list."""
        return cast(
            "LinkPage", self._call("GET", "/v1/links", params={"state": state, "limit": limit, "cursor": cursor}).json()
        )

    def links_decide(
        self, id: str, verb: str, *, expected: Literal["suggested", "confirmed", "rejected"] | None = None
    ) -> LinkOut:
        """Confirm or reject a suggested link; `reset` undoes either. The same again answers the same.

        A confirmed link makes the earliest receipt govern the clock; nothing is merged and nothing is lost.
        """
        return cast(
            "LinkOut", self._call("POST", f"/v1/links/{_part(id)}/{_part(verb)}", params={"expected": expected}).json()
        )
