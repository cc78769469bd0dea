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


class AttachIn(TypedDict):
    """Tickets of uploads."""

    attachments: list[str]


class AttachmentOut(TypedDict):
    """A file. `state`: quarantined (not looked at yet), clean, infected, erased or gone. `url` opens a clean one
    for ten minutes. `size` in bytes; `sha256` in hex.
    """

    id: str
    name: str | None
    media_type: str
    size: int
    sha256: str
    state: str
    created_at: str
    url: str | None


class AttachmentsOut(TypedDict):
    """AttachmentsOut"""

    items: list[AttachmentOut]


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
    message_count: int
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


class DeliveriesOut(TypedDict):
    """The log, the newest first."""

    items: list[DeliveryOut]
    next: str | None


class DeliveryOut(TypedDict):
    """One message to a webhook. `id` is its `webhook-id`, the same at every attempt. `state`: waiting, delivered
    or failed.
    """

    id: str
    type: str
    complaint_id: str | None
    state: str
    attempts: int
    created_at: str
    next_at: str | None
    settled_at: str | None
    last_status: int | None
    last_error: str | None


class DispatchOut(TypedDict):
    """Something meant for a complainant. `state`: waiting, sent, failed (a person must see to it, for `reason`),
    settled (one has) or cancelled.
    """

    id: str
    complaint_id: str
    kind: str
    via: str
    language: str
    origin: str | None
    state: str
    attempts: int
    created_at: str
    next_at: str | None
    settled_at: str | None
    reason: str | None


class DispatchesOut(TypedDict):
    """The newest first."""

    items: list[DispatchOut]
    next: str | None


class DisputeIn(TypedDict):
    """DisputeIn"""

    grounds: str


class DisputeOut(TypedDict):
    """`outcome` is the one that is not accepted."""

    id: str
    at: str
    outcome: str
    grounds: str


class ErasureOut(TypedDict):
    """The complaint's personal data is gone. `ground`: request or retention."""

    complaint_id: str
    ground: str
    erased_by: str
    erased_at: str


class FileOut(TypedDict):
    """A file that came with the complaint. `size` in bytes; `state`: quarantined (not looked at yet), clean,
    infected or refused (not taken), erased. `name` and, once it is clean, a `url` that soon ends: of the
    complainant's own files alone.
    """

    id: str
    at: str
    media_type: str
    size: int
    state: str
    name: str | None
    url: str | None


class FilesOut(TypedDict):
    """FilesOut"""

    items: list[FileOut]


class FormComplaintIn(TypedDict):
    """What somebody wrote into the form. Who is signed in leaves out the person."""

    narrative: str
    desired_outcome: NotRequired[str | None]
    occurred_at: NotRequired[str | None]
    amount: NotRequired[AmountIn | None]
    anonymous: NotRequired[bool]
    name: NotRequired[str | None]
    email: NotRequired[str | None]
    phone: NotRequired[str | None]
    customer_no: NotRequired[str | None]
    language: NotRequired[Literal["zh-Hant", "zh-Hans", "en"] | None]
    attachments: NotRequired[list[str]]
    website: NotRequired[str]


class FormIn(TypedDict):
    """A form: in the pages of which sites it may stand, and how it looks."""

    name: str
    channel: NotRequired[Literal["web_form", "mobile"]]
    origins: list[str]
    look: LookIn


class FormOut(TypedDict):
    """A form. `id` is its publishable key, `pk_...`."""

    id: str
    name: str
    channel: str
    origins: list[str]
    look: LookIn
    created_at: str
    revoked_at: str | None


class FormsOut(TypedDict):
    """FormsOut"""

    items: list[FormOut]


class HoldIn(TypedDict):
    """Why a complaint must not be erased: a file number, a court. No personal data: it is shown to whoever asks."""

    reason: str


class HoldOut(TypedDict):
    """HoldOut"""

    complaint_id: str
    reason: str
    placed_by: str
    placed_at: str


class IdentitySecretOut(TypedDict):
    """IdentitySecretOut"""

    identity_secret: str


class JoinedOut(TypedDict):
    """The mail was a reply: it is a message of the complaint with this reference."""

    joined: str


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


class LetterOut(TypedDict):
    """A letter of the bank. `dispatch` carries it; `via` and `state` say how, and whether it has gone out."""

    id: str
    kind: str
    language: str
    subject: str
    issued_on: str
    dispatch: str
    via: str
    state: str
    settled_at: str | None


class LettersOut(TypedDict):
    """All of a complaint, the oldest first."""

    items: list[LetterOut]


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


class LookIn(TypedDict):
    """The bank's name, its logo (an https address), the colour of buttons and links (`#rrggbb`)."""

    name: str
    logo: NotRequired[str | None]
    colour: NotRequired[str]


class MessageIn(TypedDict):
    """A message. It is sent under an `Idempotency-Key`, or each time anew."""

    text: str
    subject: NotRequired[str | None]


class MessageOut(TypedDict):
    """One message. `direction`: in (to the bank) or out; `via`: the channel's code, or tracking."""

    id: str
    at: str
    direction: Literal["in", "out"]
    author: Literal["complainant", "representative", "staff", "system"]
    via: str
    subject: str | None
    text: str


class MessagePage(TypedDict):
    """MessagePage"""

    items: list[StaffMessageOut]
    next: NotRequired[str | None]


class NewFormOut(TypedDict):
    """`identity_secret` signs identities (JWT, HS256) and is shown this once."""

    id: str
    name: str
    channel: str
    origins: list[str]
    look: LookIn
    created_at: str
    revoked_at: str | None
    identity_secret: str


class NewWebhookOut(TypedDict):
    """`secret` verifies the signatures (Standard Webhooks) and is shown this once."""

    id: str
    url: str
    events: list[str]
    channels: list[str]
    created_at: str
    disabled_at: str | None
    secret: str


class NotedOut(TypedDict):
    """No person wrote the mail, so it is no complaint: it was noted on the complaint it is about, or only
    counted.

    `kind`: auto_reply or bounce. `outcome`: recorded or dropped.
    """

    kind: str
    outcome: str
    reference: NotRequired[str | None]


class OpenedDispatchOut(TypedDict):
    """With its words and to whom; None where no address is known."""

    id: str
    complaint_id: str
    kind: str
    via: str
    language: str
    origin: str | None
    state: str
    attempts: int
    created_at: str
    next_at: str | None
    settled_at: str | None
    reason: str | None
    to: str | None
    subject: str
    text: str


class OpenedLetterOut(TypedDict):
    """With its words, the name filled in."""

    id: str
    kind: str
    language: str
    subject: str
    issued_on: str
    dispatch: str
    via: str
    state: str
    settled_at: str | None
    text: str


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


class RatingIn(TypedDict):
    """How satisfied one is, each from 1 (not at all) to 5 (fully)."""

    overall: int
    staff: NotRequired[int | None]
    product: NotRequired[int | None]
    handling: NotRequired[int | None]
    comment: NotRequired[str | None]


class RatingOut(TypedDict):
    """RatingOut"""

    overall: int
    staff: int | None
    product: int | None
    handling: int | None
    comment: str | None
    at: str


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


class RightOut(TypedDict):
    """Where the complainant may turn. `internal`: the bank looks again itself, when it is asked by a dispute.
    `body` and `explanation` by language. `until`: the last day, where one is set; `over`: it has passed.
    """

    code: str
    internal: bool
    body: dict[str, str]
    explanation: dict[str, str]
    url: str | None
    until: str | None
    over: bool


class SecretOut(TypedDict):
    """SecretOut"""

    secret: str


class SessionIn(TypedDict):
    """Open a form. `identity` is the JWT by which the bank's backend says who is signed in."""

    key: str
    identity: NotRequired[str | None]


class SessionOut(TypedDict):
    """An open form. The proof of work for a complaint is a `nonce` for which SHA-256 of `seed:Idempotency-
    Key:nonce` begins with `bits` zeros. `signed_in_as` is the name in the identity.
    """

    session: str
    seed: str
    bits: int
    expires_at: str
    signed_in_as: str | None


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


class StaffMessageOut(TypedDict):
    """`facts`: what the channel told besides, such as the results of an e-mail's sender checks."""

    id: str
    at: str
    direction: Literal["in", "out"]
    author: Literal["complainant", "representative", "staff", "system"]
    via: str
    subject: str | None
    text: str
    facts: NotRequired[JsonObject | None]


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
    """The complainant's view. `may`: what they can do now."""

    reference: str
    status: str
    received_at: str
    deadlines: list[Deadline]
    outcome: str | None
    may: list[Literal["write", "withdraw", "rate", "dispute"]]
    messages: list[MessageOut]
    attachments: list[FileOut]
    rating: RatingOut | None
    disputes: list[DisputeOut]
    withdrawn_at: str | None
    rights: list[RightOut]


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


class UploadOut(TypedDict):
    """`ticket` gives the file to a complaint (`attachments` of `POST /v1/complaints`), within a day."""

    id: str
    name: str | None
    media_type: str
    size: int
    sha256: str
    state: str
    created_at: str
    url: str | None
    ticket: str


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


class WebhookIn(TypedDict):
    """Where to tell, and of what. Without `events`: of everything."""

    url: str
    events: NotRequired[
        list[
            Literal[
                "complaint.received",
                "complaint.routed",
                "complaint.assigned",
                "complaint.acknowledged",
                "complaint.responded",
                "complaint.resolved",
                "complaint.closed",
                "complaint.escalated",
                "complaint.withdrawn",
                "complaint.message_added",
                "complaint.notified",
            ]
        ]
    ]


class WebhookOut(TypedDict):
    """A webhook. `channels`: of whose complaints it is told, those of the key that made it; empty for all."""

    id: str
    url: str
    events: list[str]
    channels: list[str]
    created_at: str
    disabled_at: str | None


class WebhooksOut(TypedDict):
    """WebhooksOut"""

    items: list[WebhookOut]


class WithdrawalIn(TypedDict):
    """WithdrawalIn"""

    reason: NotRequired[str | None]


class WithdrawalOut(TypedDict):
    """WithdrawalOut"""

    withdrawn_at: str


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
        """Take in a complaint that came by letter, counting from the day of receipt, and its scans; the same
        `register_no` with the same scans again answers the same.
        """
        return cast(
            "ReceiptOut",
            self._call("POST", "/v1/channels/letter", json=body, headers={"Idempotency-Key": idempotency_key}).json(),
        )

    def channels_from_branch(self, body: BranchIn, *, idempotency_key: str | None = None) -> ReceiptOut:
        """Take in a complaint from a branch counter, and scans of the form; the same `form_no` of the branch with
        the same scans again answers the same.
        """
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

    def channels_from_email(self, content: bytes) -> JoinedOut | ReceiptOut | NotedOut:
        """Take a mail in as it came over the wire; the same mail again, known by its Message-ID, answers the same. A
        reply joins its complaint; what a machine wrote is never a complaint, and never answered.
        """
        return cast(
            "JoinedOut | ReceiptOut | NotedOut",
            self._call(
                "POST", "/v1/channels/email", content=content, headers={"Content-Type": "message/rfc822"}
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

    def tracking_write(
        self,
        reference: str,
        body: MessageIn,
        *,
        x_tracking_token: str | None = None,
        idempotency_key: str | None = None,
    ) -> MessageOut:
        """Send the bank a message about the complaint; sent again under the same `Idempotency-Key`, it is one
        message.
        """
        return cast(
            "MessageOut",
            self._call(
                "POST",
                f"/v1/track/{_part(reference)}/messages",
                json=body,
                headers={"X-Tracking-Token": x_tracking_token, "Idempotency-Key": idempotency_key},
            ).json(),
        )

    def tracking_add_file(
        self, reference: str, content: bytes, *, x_tracking_token: str | None = None, x_file_name: str | None = None
    ) -> FilesOut:
        """Add a file, as it is; the complainant's own files. Added before, it is not added twice."""
        return cast(
            "FilesOut",
            self._call(
                "POST",
                f"/v1/track/{_part(reference)}/files",
                content=content,
                headers={
                    "Content-Type": "application/octet-stream",
                    "X-Tracking-Token": x_tracking_token,
                    "x-file-name": x_file_name,
                },
            ).json(),
        )

    def tracking_withdraw(
        self, reference: str, body: WithdrawalIn, *, x_tracking_token: str | None = None
    ) -> WithdrawalOut:
        """Take the complaint back. Withdrawn already, it answers the same."""
        return cast(
            "WithdrawalOut",
            self._call(
                "POST",
                f"/v1/track/{_part(reference)}/withdraw",
                json=body,
                headers={"X-Tracking-Token": x_tracking_token},
            ).json(),
        )

    def tracking_rate(self, reference: str, body: RatingIn, *, x_tracking_token: str | None = None) -> RatingOut:
        """Say how satisfied you are. A later rating replaces an earlier one; the same again answers the same."""
        return cast(
            "RatingOut",
            self._call(
                "POST", f"/v1/track/{_part(reference)}/rate", json=body, headers={"X-Tracking-Token": x_tracking_token}
            ).json(),
        )

    def tracking_dispute(self, reference: str, body: DisputeIn, *, x_tracking_token: str | None = None) -> DisputeOut:
        """Not accept the outcome: somebody else at the bank looks again. The same grounds again answer the same."""
        return cast(
            "DisputeOut",
            self._call(
                "POST",
                f"/v1/track/{_part(reference)}/dispute",
                json=body,
                headers={"X-Tracking-Token": x_tracking_token},
            ).json(),
        )

    def complaints_read_messages(self, id: str, *, limit: int | None = None, cursor: str | None = None) -> MessagePage:
        """What was written about a complaint, both ways, oldest first. That it was read is audited."""
        return cast(
            "MessagePage",
            self._call("GET", f"/v1/complaints/{_part(id)}/messages", params={"limit": limit, "cursor": cursor}).json(),
        )

    def complaints_send_message(
        self, id: str, body: MessageIn, *, idempotency_key: str | None = None
    ) -> StaffMessageOut:
        """Write to the complainant: it stands on their tracking page, and goes out by their preferred channel."""
        return cast(
            "StaffMessageOut",
            self._call(
                "POST", f"/v1/complaints/{_part(id)}/messages", json=body, headers={"Idempotency-Key": idempotency_key}
            ).json(),
        )

    def files_upload(self, content: bytes, *, x_file_name: str | None = None) -> UploadOut:
        """Take a file as it is, of any size up to the limit, for a complaint that is sent afterwards. What is in it
        must be what `Content-Type` says.
        """
        return cast(
            "UploadOut",
            self._call(
                "POST",
                "/v1/uploads",
                content=content,
                headers={"Content-Type": "application/octet-stream", "x-file-name": x_file_name},
            ).json(),
        )

    def files_attach(self, id: str, body: AttachIn) -> AttachmentsOut:
        """Give uploaded files to a complaint; all of its files."""
        return cast("AttachmentsOut", self._call("POST", f"/v1/complaints/{_part(id)}/attachments", json=body).json())

    def files_attachments(self, id: str) -> AttachmentsOut:
        """The files of a complaint. Names and links are personal data: that they were read is audited."""
        return cast("AttachmentsOut", self._call("GET", f"/v1/complaints/{_part(id)}/attachments").json())

    def files_download(self, id: str, *, expires: int | None = None, signature: str | None = None) -> bytes:
        """What a link opens. It is only ever saved, never shown by the browser. That it was opened is audited."""
        return self._call("GET", f"/v1/files/{_part(id)}", params={"expires": expires, "signature": signature}).content

    def dispatches_dispatches(
        self,
        *,
        state: Literal["waiting", "sent", "failed", "settled", "cancelled"] | None = None,
        complaint: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> DispatchesOut:
        """What goes or went out, the newest first; `state=failed` is the list of what a person must see to."""
        return cast(
            "DispatchesOut",
            self._call(
                "GET",
                "/v1/dispatches",
                params={"state": state, "complaint": complaint, "limit": limit, "cursor": cursor},
            ).json(),
        )

    def dispatches_open_one(self, id: str) -> OpenedDispatchOut:
        """One with its words and address, to be printed or mended. That it was read is audited."""
        return cast("OpenedDispatchOut", self._call("GET", f"/v1/dispatches/{_part(id)}").json())

    def dispatches_retry(self, id: str) -> DispatchOut:
        """Try a failed one again for another day."""
        return cast("DispatchOut", self._call("POST", f"/v1/dispatches/{_part(id)}/retry").json())

    def dispatches_settle(self, id: str) -> DispatchOut:
        """A failed one was seen to another way: printed and posted, told by telephone."""
        return cast("DispatchOut", self._call("POST", f"/v1/dispatches/{_part(id)}/settle").json())

    def letters_letters(self, id: str) -> LettersOut:
        """The letters of a complaint and how they fare. That they were looked at is audited."""
        return cast("LettersOut", self._call("GET", f"/v1/complaints/{_part(id)}/letters").json())

    def letters_printed(self, id: str, letter: str) -> bytes:
        """A letter as PDF, with the name, to be printed and posted. That it was printed is audited."""
        return self._call("GET", f"/v1/complaints/{_part(id)}/letters/{_part(letter)}.pdf").content

    def letters_open_one(self, id: str, letter: str) -> OpenedLetterOut:
        """A letter with its words. That it was read is audited."""
        return cast("OpenedLetterOut", self._call("GET", f"/v1/complaints/{_part(id)}/letters/{_part(letter)}").json())

    def webhooks_list_webhooks(self) -> WebhooksOut:
        """This key's webhooks."""
        return cast("WebhooksOut", self._call("GET", "/v1/webhooks").json())

    def webhooks_create(self, body: WebhookIn) -> NewWebhookOut:
        """Be told of what becomes of this key's complaints. Each message is signed as Standard Webhooks has it, and
        repeated for 24 hours until it is answered with a 2xx; 410 switches the webhook off.
        """
        return cast("NewWebhookOut", self._call("POST", "/v1/webhooks", json=body).json())

    def webhooks_read(self, id: str) -> WebhookOut:
        """One webhook."""
        return cast("WebhookOut", self._call("GET", f"/v1/webhooks/{_part(id)}").json())

    def webhooks_delete(self, id: str) -> None:
        """Switch a webhook off. What waits for it is not sent; its log stays."""
        self._call("DELETE", f"/v1/webhooks/{_part(id)}")

    def webhooks_rotate(self, id: str) -> SecretOut:
        """A new secret, with which everything from now on is signed."""
        return cast("SecretOut", self._call("POST", f"/v1/webhooks/{_part(id)}/rotate").json())

    def webhooks_test(self, id: str) -> DeliveryOut:
        """Send a message that tells of nothing, to see that it arrives."""
        return cast("DeliveryOut", self._call("POST", f"/v1/webhooks/{_part(id)}/test").json())

    def webhooks_deliveries(self, id: str, *, limit: int | None = None, cursor: str | None = None) -> DeliveriesOut:
        """What was sent to a webhook and how it fared, the newest first."""
        return cast(
            "DeliveriesOut",
            self._call("GET", f"/v1/webhooks/{_part(id)}/deliveries", params={"limit": limit, "cursor": cursor}).json(),
        )

    def webhooks_replay(self, id: str) -> DeliveryOut:
        """Send a message again, under its own id."""
        return cast("DeliveryOut", self._call("POST", f"/v1/deliveries/{_part(id)}/replay").json())

    def form_list_forms(self) -> FormsOut:
        """All forms, the oldest first."""
        return cast("FormsOut", self._call("GET", "/v1/forms").json())

    def form_create(self, body: FormIn) -> NewFormOut:
        """A new form, for the pages of the origins named. Its key is no secret; the identity secret is, and belongs
        in the bank's backend.
        """
        return cast("NewFormOut", self._call("POST", "/v1/forms", json=body).json())

    def form_change(self, id: str, body: FormIn) -> FormOut:
        """Other origins or another look; it holds from the next time the form is opened."""
        return cast("FormOut", self._call("PUT", f"/v1/forms/{_part(id)}", json=body).json())

    def form_revoke(self, id: str) -> None:
        """Close the form for good. Complaints sent by it stay."""
        self._call("DELETE", f"/v1/forms/{_part(id)}")

    def form_rotate(self, id: str) -> IdentitySecretOut:
        """A new identity secret. What the old one signed is refused from now on; open forms begin a new session."""
        return cast("IdentitySecretOut", self._call("POST", f"/v1/forms/{_part(id)}/rotate").json())

    def form_begin(self, body: SessionIn) -> SessionOut:
        """Open a form, for two hours."""
        return cast("SessionOut", self._call("POST", "/v1/form/sessions", json=body).json())

    def form_upload(
        self, content: bytes, *, x_form_session: str | None = None, x_file_name: str | None = None
    ) -> UploadOut:
        """Take a file for the complaint that this session will send."""
        return cast(
            "UploadOut",
            self._call(
                "POST",
                "/v1/form/uploads",
                content=content,
                headers={
                    "Content-Type": "application/octet-stream",
                    "x-form-session": x_form_session,
                    "x-file-name": x_file_name,
                },
            ).json(),
        )

    def form_send(
        self,
        body: FormComplaintIn,
        *,
        x_form_session: str | None = None,
        x_form_proof: str | None = None,
        idempotency_key: str | None = None,
    ) -> ReceiptOut:
        """Take in what somebody wrote into the form. Repeated with the same `Idempotency-Key`, it answers the same."""
        return cast(
            "ReceiptOut",
            self._call(
                "POST",
                "/v1/form/complaints",
                json=body,
                headers={
                    "x-form-session": x_form_session,
                    "x-form-proof": x_form_proof,
                    "Idempotency-Key": idempotency_key,
                },
            ).json(),
        )
