"""What people may do to a clock, each within what its policy pack permits; what is not permitted is refused with the
rule. Pure."""

from dataclasses import replace
from datetime import date, datetime

from services.sla.domain.clock import Clock, Step, Watch, enter, told
from services.sla.domain.counting import count, end_of_day, local
from services.sla.domain.policy import Extension, Pack, Policies
from services.sla.domain.watching import Heard, go_on, met, settle, stand
from shared.errors import Conflict, FieldError, Invalid, NotFound, Refused
from shared.events import ClockExtended, ClockMoved, EscalationAnswered, StepName
from shared.redaction import redact


class RuleForbids(Refused):
    """The rule under which the clock runs does not permit this; see the detail for the rule."""

    code = "rule_forbids"


class ExtensionNeedsReason(Invalid):
    """An extension needs a reason that the complainant can be told."""

    code = "extension_needs_reason"


class BeyondMaximum(RuleForbids):
    """The rule does not permit so long an extension; see the detail for the rule."""

    code = "beyond_maximum"


class ApproverRequired(RuleForbids):
    """The rule asks for somebody of another role to approve this; see the detail for the rule."""

    code = "approver_required"


class StepNotFound(NotFound):
    """The clock has no such step."""

    code = "step_not_found"


class StepSettled(Conflict):
    """This step is taken already, or its clock has ended."""

    code = "step_settled"


class NotPaused(Conflict):
    """The clock does not stand still."""

    code = "not_paused"


class AlreadyPaused(Conflict):
    """The clock stands still already."""

    code = "already_paused"


class NotEscalated(Conflict):
    """Nobody has been told of this step as late, or somebody has taken it on already."""

    code = "not_escalated"


def pause(
    watch: Watch, clock: Clock, policies: Policies, *, code: str, at: datetime | None = None, actor: str, now: datetime
) -> Heard:
    """Let a clock stand still, for a reason that its pack permits. Raises RuleForbids, AlreadyPaused, Invalid."""
    pack = _pack(clock, policies)
    permitted = pack.suspension.reasons if pack.suspension else ()
    if code not in permitted:
        known = f"for {', '.join(permitted)} only ({_article(pack)})" if permitted else f"for nothing ({_cited(pack)})"
        raise RuleForbids(f"Pack {pack.id} lets its clock stand still {known}.")
    if clock.standing:
        raise AlreadyPaused
    at = _moment(clock, at, now)
    heard = Heard(watch)
    stand(heard, _running(clock), policies, since=at, reason=code, actor=actor, now=now)
    return heard


def resume(
    watch: Watch, clock: Clock, policies: Policies, *, at: datetime | None = None, actor: str, now: datetime
) -> Heard:
    """Let a paused clock run again. Raises NotPaused, Invalid."""
    if not clock.standing:
        raise NotPaused
    at = _moment(clock, at, now)
    if at < clock.pauses[-1].since:
        raise Invalid(errors=(FieldError("/at", "lies before the pause began", "before_pause"),))
    heard = Heard(watch)
    go_on(heard, _running(clock), policies, since=at, reason="resumed", actor=actor, now=now)
    settle(heard, policies, now=now)
    return heard


def extend(
    watch: Watch,
    clock: Clock,
    policies: Policies,
    *,
    step: StepName,
    until: date,
    reason: str,
    code: str | None,
    roles: frozenset[str],
    actor: str,
    now: datetime,
) -> Heard:
    """Give a step more time, until the end of the day `until`, within what the pack permits and with whoever it asks to
    approve. `code`: which of the reasons that the rule knows it is. The complainant is told why, until when, and where
    they may turn.

    Raises StepNotFound, StepSettled, ExtensionNeedsReason, RuleForbids, BeyondMaximum, ApproverRequired, Invalid.
    """
    pack = _pack(clock, policies)
    found = _step(clock, step)
    calendar = policies.editions[clock.calendar]
    if not reason.strip():
        raise ExtensionNeedsReason(errors=(FieldError("/reason", "is missing", "missing"),))
    stages = [e for e in pack.extensions if e.step == step]
    if not stages:
        raise RuleForbids(f"Pack {pack.id} knows no extension of '{step}' ({_cited(pack, step)}).")
    due = end_of_day(until, calendar.zone)
    if due <= found.due_at:
        known = local(found.due_at, calendar.zone).date()
        raise Invalid(
            errors=(FieldError("/until", f"is no later than the deadline that stands, {known}", "not_later"),)
        )
    stage = _stage(stages, found, clock, policies, due, pack)
    if stage.reasons and code not in stage.reasons:
        named = ", ".join(stage.reasons)
        raise RuleForbids(
            f"Pack {pack.id} extends '{step}' so far for these reasons only: {named} ({stage.article}).",
            errors=(FieldError("/code", f"is none of {named}", "reason_not_permitted"),),
        )
    if not roles & approvers(stage.approver_role):
        raise ApproverRequired(
            f"An extension of '{step}' under pack {pack.id} is approved by: {stage.approver_role} ({stage.article})."
        )
    heard = Heard(watch)
    entered = enter(
        _running(clock),
        "extended",
        at=now,
        now=now,
        actor=actor,
        reason=stage.article,
        calendars=policies.editions,
        detail={"step": step, "until": until.isoformat()},
    )
    after = heard.take(entered)
    extended = after.step(step)
    assert extended is not None
    heard.events.append(
        ClockExtended(
            **after.tag(watch.complaint_id),
            step=step,
            was_due_at=found.due_at,
            due_at=extended.due_at,
            reason=redact(reason.strip()),
            article=stage.article,
            approved_by=actor,
            notice_required=stage.notice_required,
            rights=dict(pack.on_miss.texts) if pack.on_miss else None,
            extended_at=now,
        )
    )
    return heard


def restart(
    watch: Watch,
    clock: Clock,
    policies: Policies,
    *,
    at: datetime | None = None,
    reason: str,
    actor: str,
    now: datetime,
) -> Heard:
    """New facts have come: count the steps that are not taken from their receipt, where the pack says so. Raises
    RuleForbids, StepSettled, Invalid."""
    pack = _pack(clock, policies)
    if pack.restart is None:
        raise RuleForbids(f"Pack {pack.id} knows no new beginning for new facts ({_cited(pack)}).")
    if not reason.strip():
        raise Invalid(errors=(FieldError("/reason", "is missing", "missing"),))
    at = _moment(clock, at, now)
    names = [s.name for s in _running(clock).steps if s.open]
    if not names:
        raise StepSettled
    heard = Heard(watch)
    entered = enter(
        clock,
        "restarted",
        at=at,
        now=now,
        actor=actor,
        reason="new_facts",
        calendars=policies.editions,
        detail={"steps": names},
    )
    after = heard.take(entered)
    steps = told(s for s in after.steps if s.name in names)
    tag = after.tag(watch.complaint_id)
    heard.events.append(ClockMoved(**tag, started_at=at, steps=steps, cause="new_facts", moved_at=now))
    return heard


def record(
    watch: Watch,
    clock: Clock,
    policies: Policies,
    *,
    step: StepName,
    at: datetime | None = None,
    actor: str,
    now: datetime,
) -> Heard:
    """Staff record a step that no other service tells of: provisional credit, a first contact by telephone, handing
    over to internal review. Raises StepNotFound, StepSettled, RuleForbids, Invalid."""
    _step(clock, step)
    if step not in ("first_contact", "provisional_credit", "internal_escalation"):
        raise RuleForbids(f"'{step}' is recorded with the case, not here.")
    at = _moment(clock, at, now)
    heard = Heard(watch)
    met(heard, clock, step, policies, at=at, actor=actor, reason="recorded", now=now)
    return heard


def answer(
    watch: Watch,
    clock: Clock,
    _policies: Policies,
    *,
    step: StepName,
    hand_back: bool,
    reason: str | None = None,
    actor: str,
    now: datetime,
) -> Heard:
    """Take an escalation on, so that it climbs no further for as long as the ladder is patient; or hand it back to the
    level below, with a reason, which begins its time anew. Raises StepNotFound, NotEscalated, Invalid."""
    found = _step(clock, step, settled_too=True)
    if not found.open or found.rung == 0 or found.ladder is None or (found.answered_at and not hand_back):
        raise NotEscalated
    if hand_back and not (reason or "").strip():
        raise Invalid(errors=(FieldError("/reason", "is missing", "missing"),))
    level = found.ladder.rungs[found.rung - 1].level
    rung = max(found.rung - 1, 1) if hand_back else found.rung
    taken = replace(found, rung=rung, repeats=0, answered_at=now, answered_by=actor)
    changed = taken.held_until(now + found.ladder.patience).planned(standing=clock.standing)
    after = replace(clock, steps=tuple(changed if s.name == step else s for s in clock.steps))
    told_of = EscalationAnswered(
        **clock.tag(watch.complaint_id),
        step=step,
        level=level,
        answer="handed_back" if hand_back else "acknowledged",
        answered_by=actor,
        reason=redact(reason.strip()) if reason else None,
        answered_at=now,
    )
    return Heard(watch.with_clock(after), events=[told_of])


def latest(clock: Clock, policies: Policies, step: StepName) -> tuple[date, Extension] | None:
    """The last day to which a step may be extended, and the stage of the rule that permits it; None where none does."""
    pack = policies.pack(clock.pack, clock.pack_version)
    found = clock.step(step)
    if pack is None or found is None:
        return None
    calendar = policies.editions[clock.calendar]
    ends = [
        (local(count(e.to, found.line.since, calendar, clock.pauses).due_at, calendar.zone).date(), e)
        for e in pack.extensions
        if e.step == step
    ]
    return max(ends, key=lambda end: end[0], default=None)


def approvers(role: str) -> frozenset[str]:
    """The desk's roles that may approve what a pack wants approved by `role`: that one or a higher one."""
    return frozenset(("supervisor", "manager") if role == "supervisor" else ("manager",))


def _stage(
    stages: list[Extension], step: Step, clock: Clock, policies: Policies, due: datetime, pack: Pack
) -> Extension:
    """The smallest stage that reaches `due`. Raises BeyondMaximum."""
    calendar = policies.editions[clock.calendar]
    ends = [(count(s.to, step.line.since, calendar, clock.pauses).due_at, s) for s in stages]
    for end, stage in sorted(ends, key=lambda found: found[0]):
        if due <= end:
            return stage
    end, stage = max(ends, key=lambda found: found[0])
    last = local(end, calendar.zone).date()
    raise BeyondMaximum(
        f"Pack {pack.id} extends '{step.name}' to {last} at the latest ({stage.article}).",
        errors=(FieldError("/until", f"is later than {last}", "beyond_maximum"),),
    )


def _moment(clock: Clock, at: datetime | None, now: datetime) -> datetime:
    """When it was done; now where nobody says otherwise. Raises Invalid."""
    at = at or now
    if at > now:
        raise Invalid(errors=(FieldError("/at", "lies in the future", "in_future"),))
    if at < clock.start:
        raise Invalid(errors=(FieldError("/at", "lies before the clock began", "before_start"),))
    return at


def _running(clock: Clock) -> Clock:
    if clock.ended_at is not None:
        raise StepSettled
    return clock


def _step(clock: Clock, name: StepName, *, settled_too: bool = False) -> Step:
    found = clock.step(name)
    if found is None:
        raise StepNotFound
    if not found.open and not settled_too:
        raise StepSettled
    return found


def _pack(clock: Clock, policies: Policies) -> Pack:
    found = policies.pack(clock.pack, clock.pack_version)
    if found is None:
        raise RuleForbids(f"Version {clock.pack_version} of pack {clock.pack} is not on this desk any more.")
    return found


def _cited(pack: Pack, step: StepName | None = None) -> str:
    rule = next((r for r in pack.rules if r.step == step), pack.rules[-1])
    return f"{rule.authority.source}, {rule.authority.article}"


def _article(pack: Pack) -> str:
    return pack.suspension.article if pack.suspension else _cited(pack)
