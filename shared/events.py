"""The wire contracts: every event that a service publishes. Fields are only ever added, never renamed or removed.

No event carries a name, phone, e-mail, account or identity number; the narrative travels redacted and the person is
an opaque `customer_ref`. Times are aware. Codes (`department`, `category`, ...) are those of the registers that
routing owns.
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer

UNDONE = "undone"
"""The reason of what takes back an earlier step."""
EVENTS: dict[str, type["Event"]] = {}
TOPICS = {name: f"redress.{name}.v1" for name in ("intake", "routing", "sla", "reporting")}

Money = Annotated[Decimal, PlainSerializer(str, return_type=str)]
Severity = Literal["low", "normal", "high", "critical"]
Outcome = Literal["upheld", "partly_upheld", "rejected", "goodwill", "withdrawn"]
StepName = Literal[
    "first_contact", "acknowledge", "resolve", "interim", "provisional_credit", "internal_escalation", "final"
]
ClockKind = Literal["regulatory", "service"]


class Event(BaseModel):
    """A fact in the past tense about one complaint. Unknown fields are ignored: tomorrow's event decodes today.

    `erasable` are the fields that hold somebody's own words, redacted, or stand for a person; they are blanked once a
    complaint is erased.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    source: ClassVar[str]
    erasable: ClassVar[tuple[str, ...]] = ()

    complaint_id: str


E = TypeVar("E", bound=type[Event])


def published(service: str, name: str) -> Callable[[E], E]:
    """Register a model as the first version of event `com.redress.<name>`, published by `service`."""

    def register(model: E) -> E:
        model.type = f"com.redress.{name}.v1"
        model.source = f"/redress/{service}"
        EVENTS[model.type] = model
        return model

    return register


@published("intake", "complaint.received")
class ComplaintReceived(Event):
    """A complaint was taken in, once. `received_at` is the moment that starts the regulator's clock.

    `narrative` is redacted. `customer_ref` is a keyed hash, None for an anonymous complaint. `imported` marks history
    brought in later: it is counted where it belongs in time, and no alarm is raised over what lapsed long ago.
    """

    erasable = ("narrative", "desired_outcome", "customer_ref")

    reference: str
    channel: str
    narrative: str
    received_at: AwareDatetime
    customer_ref: str | None = None
    language: str | None = None
    jurisdiction: str | None = None
    branch: str | None = None
    product: str | None = None
    amount: Money | None = None
    currency: str | None = None
    occurred_at: AwareDatetime | None = None
    desired_outcome: str | None = None
    imported: bool = False
    referred_by: str | None = Field(None, description="Code of the regulator or ombudsman that sent it")
    referred_at: AwareDatetime | None = Field(None, description="When that body received it")
    imposed_due_at: AwareDatetime | None = Field(None, description="The deadline that body has set")


@published("intake", "complaint.amended")
class ComplaintAmended(Event):
    """Something about a complaint is known better than when it came in. Fields that did not change are None."""

    amended_at: AwareDatetime
    vulnerable: bool | None = None


@published("intake", "complaint.message_added")
class ComplaintMessageAdded(Event):
    """Words were exchanged. `direction`: in (from the complainant) or out. `text` is redacted; `via` a channel's code
    or `tracking`; `attachments` counts the files that came along."""

    erasable = ("text",)

    message_id: str
    direction: Literal["in", "out"]
    author: Literal["complainant", "representative", "staff", "system"]
    via: str
    text: str
    attachments: int = 0
    added_at: AwareDatetime


@published("intake", "complaint.withdrawn")
class ComplaintWithdrawn(Event):
    """The complainant has taken the complaint back. `reason` is redacted."""

    erasable = ("reason",)

    withdrawn_at: AwareDatetime
    reason: str | None = None


@published("intake", "complaint.linked")
class ComplaintLinked(Event):
    """Two complaints of one person may be, are, or are not one matter. Published for the later one of the two, and
    again for each other report of the matter whose `governs_from` a decision has moved.

    `governs_from` is the earliest receipt among all complaints that are confirmed to be this matter: it starts the
    clock. `state` suggested changes nothing yet; rejected also undoes a confirmation.
    """

    link_id: str
    other_id: str
    state: Literal["suggested", "confirmed", "rejected"]
    score: float = Field(ge=0, le=1)
    reasons: tuple[str, ...] = ()
    governs_from: AwareDatetime
    linked_at: AwareDatetime


@published("intake", "complaint.rated")
class ComplaintRated(Event):
    """How satisfied the complainant is, from 1 (not at all) to 5; a later rating replaces an earlier one. `comment` is
    redacted."""

    erasable = ("comment",)

    overall: int = Field(ge=1, le=5)
    staff: int | None = Field(None, ge=1, le=5)
    product: int | None = Field(None, ge=1, le=5)
    handling: int | None = Field(None, ge=1, le=5)
    comment: str | None = None
    rated_at: AwareDatetime


@published("intake", "complaint.disputed")
class ComplaintDisputed(Event):
    """The complainant does not accept the outcome. `grounds` is redacted."""

    erasable = ("grounds",)

    dispute_id: str
    outcome: str
    grounds: str
    disputed_at: AwareDatetime


@published("intake", "complaint.erased")
class ComplaintErased(Event):
    """The complainant's data is gone: whoever holds a narrative or message of this complaint drops it now."""

    ground: Literal["request", "retention"]
    erased_at: AwareDatetime


@published("intake", "complaint.notified")
class ComplaintNotified(Event):
    """Something meant for the complainant has gone out, or cannot. `kind`: acknowledgement, letter,
    information_request, survey, message; `via`: email, sms, webhook or post. `origin` is the id of what it carries (a
    letter, a message), where it has one."""

    notice_id: str
    kind: str
    via: str
    state: Literal["sent", "failed"]
    reason: str | None = None
    origin: str | None = None
    settled_at: AwareDatetime


@published("routing", "complaint.classified")
class ComplaintClassified(Event):
    """What kind of complaint it is, and why; a later one replaces an earlier one. `rules` are the ids of the rules that
    spoke; `confidence` is 0 to 1; `decided_by` says whose word the category is, `model` the version of a model that
    spoke; `further` are other types that the complaint is about too."""

    category: str = Field(description="The programme's type: service_quality, product, channel, fees, ...")
    severity: Severity
    rules: tuple[str, ...] = ()
    confidence: float = Field(ge=0, le=1)
    language: str | None = None
    product: str | None = None
    further: tuple[str, ...] | None = None
    decided_by: Literal["rules", "model", "person"] | None = None
    model: str | None = None
    classified_at: AwareDatetime


@published("routing", "complaint.routed")
class ComplaintRouted(Event):
    """A department has taken charge. `department` is a code from the department register. With the reason UNDONE it was
    taken back that somebody works on it: the department has it, and no officer."""

    department: str
    reason: str
    routed_at: AwareDatetime


@published("routing", "complaint.assigned")
class ComplaintAssigned(Event):
    """An officer works on it. `assignee` is the officer's subject in the bank's directory, not a name."""

    assignee: str
    assigned_at: AwareDatetime


@published("routing", "complaint.transferred")
class ComplaintTransferred(Event):
    """Another department takes charge. `reason` is redacted."""

    erasable = ("reason",)

    from_department: str
    department: str
    reason: str
    transferred_at: AwareDatetime


@published("routing", "complaint.noted")
class ComplaintNoted(Event):
    """Staff kept a note, whose words stay in routing."""

    note_id: str
    noted_at: AwareDatetime


@published("routing", "complaint.consulted")
class ComplaintConsulted(Event):
    """Another department was asked for advice beside the work, or gave it."""

    consult_id: str
    department: str
    state: Literal["asked", "answered"]
    consulted_at: AwareDatetime


@published("routing", "complaint.information_received")
class ComplaintInformationReceived(Event):
    """What the complainant was asked for is there; the work goes on."""

    received_at: AwareDatetime


@published("routing", "complaint.outcome_proposed")
class ComplaintOutcomeProposed(Event):
    """An officer proposes how to decide. `needs` says why a second person must agree (outcome, severity, amount); empty
    where none must, and the proposal stands."""

    outcome: Outcome
    root_cause: str
    redress_amount: Money | None = None
    redress_currency: str | None = None
    needs: tuple[str, ...] = ()
    proposed_by: str
    proposed_at: AwareDatetime


@published("routing", "complaint.outcome_reviewed")
class ComplaintOutcomeReviewed(Event):
    """A second person has looked at a proposal and agrees, or sends it back. `reason` is redacted."""

    erasable = ("reason",)

    approved: bool
    reviewed_by: str
    reason: str | None = None
    reviewed_at: AwareDatetime


@published("routing", "complaint.delivered")
class ComplaintDelivered(Event):
    """The final response reached the complainant. `rights_told`: it names their right to go further."""

    via: str
    rights_told: bool
    delivered_at: AwareDatetime


@published("routing", "complaint.reopened")
class ComplaintReopened(Event):
    """The work goes on; what was decided is open again. `reason` is redacted."""

    erasable = ("reason",)

    reason: str
    reopened_at: AwareDatetime


@published("routing", "complaint.review_opened")
class ComplaintReviewOpened(Event):
    """The complaint office looks at a decided complaint again: somebody's word, or the complainant's dispute."""

    cause: Literal["staff", "dispute"]
    opened_at: AwareDatetime


@published("routing", "incident.declared")
class IncidentDeclared(Event):
    """Complaints are handled together under one plan. `complaint_id` is here the incident's own id."""

    title: str
    department: str
    cause: Literal["supervisor", "rule", "surge"]
    complaints: int
    declared_at: AwareDatetime


@published("routing", "incident.closed")
class IncidentClosed(Event):
    """An incident is over. `complaint_id` is here the incident's own id."""

    complaints: int
    closed_at: AwareDatetime


@published("routing", "complaint.joined")
class ComplaintJoined(Event):
    """A complaint is handled with others as an incident; `incident_id` None: no longer."""

    incident_id: str | None = None
    joined_at: AwareDatetime


@published("reporting", "surge.detected")
class SurgeDetected(Event):
    """More complaints of one kind came in from `since` to `until` than chance explains. The kind is what is given of
    `category`, `product`, `branch` and `channel`; or it is a `theme`, a term that rises in what complainants write.
    `complaint_id` is here the surge's own id."""

    category: str | None = None
    product: str | None = None
    branch: str | None = None
    channel: str | None = None
    theme: str | None = None
    observed: int
    expected: float
    since: AwareDatetime
    until: AwareDatetime
    detected_at: AwareDatetime


@published("reporting", "goal.missed")
class GoalMissed(Event):
    """The day by which a figure should have reached its target is over, and it has not. `figure` is a figure's key,
    narrowed to the `code` of a `dimension` where they are given; `value` is what it was on `due_on`. Who owns the goal
    is a role or a department, never a person. `complaint_id` is here the goal's own id."""

    figure: str
    dimension: str | None = None
    code: str | None = None
    direction: Literal["down", "up"]
    baseline: float
    target: float
    value: float
    owner_role: str | None = None
    owner_department: str | None = None
    due_on: date
    missed_at: AwareDatetime


@published("intake", "staff.signed_out")
class StaffSignedOut(Event):
    """A session of a member of staff ended before its time: `session` is one of ours, `directory_session` one of the
    bank's directory; `staff` alone means all that the person began until then. `complaint_id` is here the id of this
    ending."""

    session: str | None = None
    directory_session: str | None = None
    staff: str | None = None
    signed_out_at: AwareDatetime


@published("routing", "complaint.acknowledged")
class ComplaintAcknowledged(Event):
    """The complainant was told that the complaint is in hand."""

    acknowledged_at: AwareDatetime


@published("routing", "complaint.responded")
class ComplaintResponded(Event):
    """The bank's reply went out. `final` tells the final response from a holding (interim) one."""

    responded_at: AwareDatetime
    final: bool


@published("routing", "complaint.resolved")
class ComplaintResolved(Event):
    """The bank has decided. `redress_amount` is what it pays, None where it pays nothing."""

    outcome: Outcome
    root_cause: str
    redress_amount: Money | None = None
    redress_currency: str | None = None
    resolved_at: AwareDatetime


@published("routing", "complaint.letter_issued")
class ComplaintLetterIssued(Event):
    """A letter is to go to the complainant. `body` is plain text; `{complainant}` in it stands for the name, which only
    intake knows."""

    erasable = ("subject", "body")

    letter_id: str
    kind: Literal["acknowledgement", "holding", "final", "summary_resolution", "other"]
    language: str
    subject: str
    body: str
    issued_at: AwareDatetime


@published("routing", "complaint.information_requested")
class ComplaintInformationRequested(Event):
    """The complainant is asked for something. `question` is plain text, `reply_by` the day by which an answer helps."""

    erasable = ("question",)

    request_id: str
    question: str
    language: str | None = None
    reply_by: AwareDatetime | None = None
    requested_at: AwareDatetime


@published("routing", "complaint.closed")
class ComplaintClosed(Event):
    """Nothing more is to be done unless it is reopened."""

    closed_at: AwareDatetime


class ClockStep(BaseModel):
    """One deadline of a clock. `due_at` is the last moment that is still in time; `article` is the rule's source.
    `provisional`: it was counted with holidays that are not yet published."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: StepName
    due_at: AwareDatetime
    article: str | None = None
    provisional: bool = False


class ClockEvent(Event):
    """Something about one of a complaint's clocks.

    A complaint has one `primary` clock, the regulator's whose deadlines are told to the complainant, and may have
    others beside it: of another regulator or of the bank's own service standard (`kind`). A later primary clock takes
    the place of the one before.
    """

    clock_id: str
    kind: ClockKind = "regulatory"
    primary: bool = True


@published("sla", "clock.started")
class ClockStarted(ClockEvent):
    """A clock runs, under one version of one policy pack."""

    pack: str
    pack_version: str
    started_at: AwareDatetime
    steps: tuple[ClockStep, ...]


@published("sla", "clock.moved")
class ClockMoved(ClockEvent):
    """Deadlines are counted anew. `steps` are those not taken yet, with their new deadlines. `cause`: linked (an
    earlier report of the same matter governs it now, or does no longer), new_facts, reopened, calendar (the holidays
    are known now)."""

    started_at: AwareDatetime
    steps: tuple[ClockStep, ...]
    cause: Literal["linked", "new_facts", "reopened", "calendar"] = "linked"
    moved_at: AwareDatetime


@published("sla", "clock.paused")
class ClockPaused(ClockEvent):
    """The rule permits the clock to stand still for `reason`, a code of the policy pack; it does so since `since`."""

    reason: str
    since: AwareDatetime
    paused_at: AwareDatetime


@published("sla", "clock.resumed")
class ClockResumed(ClockEvent):
    """The clock runs again since `since`. `steps` are those not taken yet, with their new deadlines."""

    since: AwareDatetime
    steps: tuple[ClockStep, ...]
    resumed_at: AwareDatetime


@published("sla", "clock.extended")
class ClockExtended(ClockEvent):
    """A step has more time, as the rule permits: until `due_at` instead of `was_due_at`. `reason` is what the
    complainant is told, redacted; `approved_by` a subject in the bank's directory; `notice_required`: the rule asks for
    a letter."""

    erasable = ("reason",)

    step: StepName
    was_due_at: AwareDatetime
    due_at: AwareDatetime
    reason: str
    article: str | None = None
    approved_by: str
    notice_required: bool = True
    rights: dict[str, str] | None = Field(None, description="Where the complainant may turn, by language")
    extended_at: AwareDatetime


@published("sla", "clock.met")
class ClockMet(ClockEvent):
    """A step was taken. `in_time` says whether before its deadline."""

    step: StepName
    due_at: AwareDatetime
    met_at: AwareDatetime
    in_time: bool


@published("sla", "deadline.warned")
class DeadlineWarned(ClockEvent):
    """A deadline is near and its step is not yet taken. `warning` counts the warnings of this deadline from 1."""

    step: StepName
    due_at: AwareDatetime
    warned_at: AwareDatetime
    warning: int = 1


@published("sla", "deadline.missed")
class DeadlineMissed(ClockEvent):
    """A deadline has passed and its step was not taken. `historic`: it had passed before the complaint was imported."""

    step: StepName
    due_at: AwareDatetime
    missed_at: AwareDatetime
    historic: bool = False


@published("sla", "complaint.escalated")
class ComplaintEscalated(ClockEvent):
    """The next level up must act. Level 1 is the department's head. `person` is who was told, a subject in the bank's
    directory, not a name; `via` says whether as the post's holder, as deputy, or because a post was vacant. `repeat`
    counts how often this level was told again."""

    step: StepName
    level: int = Field(ge=1)
    role: str
    reason: str
    escalated_at: AwareDatetime
    person: str | None = None
    via: Literal["holder", "deputy", "fallback"] | None = None
    repeat: int = 0


@published("sla", "escalation.answered")
class EscalationAnswered(ClockEvent):
    """Somebody has taken an escalation on, or handed it back to the level below. `reason` is redacted."""

    erasable = ("reason",)

    step: StepName
    level: int
    answer: Literal["acknowledged", "handed_back"]
    answered_by: str
    reason: str | None = None
    answered_at: AwareDatetime
