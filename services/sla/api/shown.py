"""The domain's values as the API shows them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.sla.api import schemas as out
from services.sla.domain.calendar import Calendar
from services.sla.domain.clock import Clock, Step, Watch
from services.sla.domain.counting import TICK, Count, Limit, local, walk
from services.sla.domain.counting import count as counted_to
from services.sla.domain.policy import Authority, OnMiss, Pack, Policies, Rule
from services.sla.store import OpenStep
from services.sla.usecases import views
from services.sla.usecases.views import AsOf, Plan, Planned

Calendars = Mapping[str, Calendar]


def clock(watch: Watch, calendars: Calendars) -> out.ClockOut:
    primary = watch.primary or watch.clocks[0]
    facts = watch.facts
    return out.ClockOut(
        **_one(primary, calendars),
        complaint_id=watch.complaint_id,
        reference=facts.reference,
        imported=facts.imported,
        department=facts.department,
        assignee=facts.assignee,
        others=[out.OneClockOut(**_one(c, calendars)) for c in watch.clocks if c.id != primary.id],
    )


def _one(clock: Clock, calendars: Calendars) -> dict[str, Any]:
    return {
        "clock_id": clock.id,
        "kind": clock.kind,
        "primary": clock.primary,
        "version": clock.seq,
        "received_at": clock.start,
        "opened_at": clock.opened_at,
        "pack": clock.pack,
        "pack_version": clock.pack_version,
        "pack_reason": clock.reason,
        "paused": clock.standing,
        "pauses": [out.PauseOut(since=p.since, until=p.until) for p in clock.pauses],
        "ended_at": clock.ended_at,
        "steps": [_step(clock, s, calendars) for s in clock.steps],
    }


def _step(clock: Clock, step: Step, calendars: Calendars) -> out.StepOut:
    found, _ = views.recount(clock, step, calendars)
    escalation = None
    if step.ladder is not None and step.escalated_at is not None and step.told_at is not None:
        rung = step.ladder.rungs[step.rung - 1]
        escalation = out.EscalationOut(
            level=rung.level,
            role=rung.role,
            escalated_at=step.escalated_at,
            told_at=step.told_at,
            repeats=step.repeats,
            answered_at=step.answered_at,
            answered_by=step.answered_by,
        )
    return out.StepOut(
        **_deadline(step.name, step.authority, found, due_at=step.due_at),
        provisional=step.line.provisional,
        warn_at=step.warn_ats[0] if step.warn_ats else None,
        warn_ats=list(step.warn_ats),
        breach=step.breach,
        state=step.state,
        extended_to=step.line.extended_to,
        act_by=step.act_by or step.due_at,
        warned_at=step.warned_at,
        met_at=step.met_at,
        missed_at=step.missed_at,
        historic=step.historic,
        escalation=escalation,
    )


def _deadline(step: Any, authority: Authority, found: Count, *, due_at: datetime) -> dict[str, Any]:
    """What a deadline shows whether it is planned or runs. `due_at` is the one that stands."""
    zone = found.start.tzinfo
    return {
        "step": step,
        "due_at": due_at,
        "due_local": due_at.astimezone(zone).isoformat(timespec="milliseconds"),
        "rule": out.RuleOut(**_rule(found.limit, authority)),
        "count": out.CountOut(
            received=found.start.isoformat(timespec="milliseconds"),
            first_day=found.first_day,
            last_day=found.last_day,
            time_zone=str(zone),
            explanation=found.explanation,
        ),
    }


def _rule(limit: Limit, authority: Authority) -> dict[str, Any]:
    return {
        "limit": limit.length,
        "unit": limit.unit,
        "count_from": limit.count_from,
        "source": authority.source,
        "article": authority.article,
        "confirmed": authority.confirmed,
        "effective_from": authority.effective_from,
    }


def ledger(found: AsOf, *, whole: bool) -> out.LedgerOut:
    lines = found.state.lines
    stands = {s.name: (s.due_at, s.met_at) for s in found.clock.steps}
    return out.LedgerOut(
        clock_id=found.clock.id,
        pack=found.clock.pack,
        pack_version=found.clock.pack_version,
        kind=found.clock.kind,
        primary=found.clock.primary,
        start=found.state.start,
        paused=found.state.paused,
        agrees={n: (line.due_at, line.met_at) for n, line in lines.items()} == stands if whole else None,
        deadlines=[
            out.LedgerLineOut(step=n, due_at=line.due_at, provisional=line.provisional, met_at=line.met_at)
            for n, line in sorted(lines.items(), key=lambda item: item[1].due_at)
        ],
        entries=[
            out.EntryOut(
                seq=e.seq,
                kind=e.kind,
                at=e.at,
                recorded_at=e.recorded_at,
                actor=e.actor,
                reason=e.reason,
                calendar=e.calendar,
                detail=dict(e.detail),
            )
            for e in found.entries
        ],
    )


def open_step(found: OpenStep, now: datetime) -> out.OpenStepOut:
    step = found.step
    act_by = step.act_by or step.due_at
    plain = ("complaint_id", "reference", "clock_id", "pack", "kind", "department", "assignee", "category", "severity")
    return out.OpenStepOut(
        **{name: getattr(found, name) for name in plain},
        step=step.name,
        state=step.state,
        due_at=step.due_at,
        seconds_left=(step.due_at - now).total_seconds(),
        act_by=act_by,
        seconds_to_begin=(act_by - now).total_seconds(),
        level=step.ladder.rungs[step.rung - 1].level if step.ladder and step.rung else 0,
        told_at=step.told_at,
        answered_by=step.answered_by,
    )


def simulation(plans: list[Plan], received_at: datetime) -> out.SimulationOut:
    first, *others = [_simulated(p, received_at) for p in plans]
    return out.SimulationOut(**first, others=[out.SimulatedClockOut(**o) for o in others])


def _simulated(plan: Plan, received_at: datetime) -> dict[str, Any]:
    pack = plan.choice.pack
    return {
        "kind": pack.kind,
        "primary": plan.choice.primary,
        "pack": pack.id,
        "pack_version": pack.version,
        "pack_reason": plan.choice.reason,
        "calendar": plan.calendar.id,
        "deadlines": [_planned(p, plan.calendar) for p in plan.deadlines],
        "extensions": [
            out.ExtensionOut(
                step=e.step,
                until=local(counted_to(e.to, received_at, plan.calendar).due_at, plan.calendar.zone).date(),
                approver_role=e.approver_role,
                notice_required=e.notice_required,
                article=e.article,
                reasons=list(e.reasons),
            )
            for e in pack.extensions
        ],
        "on_miss": right(pack.on_miss),
    }


def _planned(planned: Planned, calendar: Calendar) -> out.PlannedOut:
    rule, found = planned.rule, planned.count
    ladder = []
    for rung in rule.ladder.rungs if rule.ladder else ():
        share = (found.due_at - found.start) * rung.share if rung.share is not None else None
        at = found.due_at + TICK + rung.after + (share if share is not None else 0 * rung.after)
        ladder.append(out.RungOut(level=rung.level, role=rung.role, at=at))
    return out.PlannedOut(
        **_deadline(rule.step, rule.authority, found, due_at=found.due_at),
        provisional=found.provisional,
        warn_ats=list(planned.warn_ats),
        breach=rule.breach,
        note=rule.note,
        warn_at=planned.warn_ats[0] if planned.warn_ats else None,
        days=[out.DayOut(day=d.day, number=d.number, why=d.why) for d in walk(found, calendar)],
        ladder=ladder,
    )


def right(found: OnMiss | None) -> out.RightOut | None:
    if found is None:
        return None
    return out.RightOut(right=found.right, body=found.body, window_days=found.window_days, texts=dict(found.texts))


def pack(found: Pack, policies: Policies) -> out.PackOut:
    applies = found.applies
    return out.PackOut(
        id=found.id,
        version=found.version,
        kind=found.kind,
        default=found.id == policies.default,
        titles=dict(found.titles),
        jurisdictions=list(applies.jurisdictions),
        products=list(applies.products),
        channels=list(applies.channels),
        types=list(applies.types),
        severities=list(applies.severities),
        referred_by=list(applies.referred_by),
        replaces=list(found.replaces),
        calendar=found.calendar,
        time_zone=policies.calendar(found).zone.key,
        start_event=found.start_event,
        effective_from=found.effective_from,
        effective_to=found.effective_to,
        confirmed=found.confirmed,
        rules=[_pack_rule(r) for r in found.rules],
        extensions=[
            out.PackExtensionOut(
                step=e.step,
                limit=e.to.length,
                unit=e.to.unit,
                approver_role=e.approver_role,
                notice_required=e.notice_required,
                article=e.article,
                reasons=list(e.reasons),
            )
            for e in found.extensions
        ],
        pauses=list(found.suspension.reasons) if found.suspension else [],
        restarts_on_new_facts=found.restart is not None,
        on_miss=right(found.on_miss),
    )


def _pack_rule(rule: Rule) -> out.PackRuleOut:
    first = rule.warnings[0] if rule.warnings else None
    lowest = rule.ladder.rungs[0] if rule.ladder else None
    return out.PackRuleOut(
        **_rule(rule.limit, rule.authority),
        step=rule.step,
        note=rule.note,
        breach=rule.breach,
        warnings=[
            {"share": w.share, "lead_hours": w.lead.total_seconds() / 3600 if w.lead else None} for w in rule.warnings
        ],
        ladder=rule.ladder.id if rule.ladder else None,
        warn_share=first.share if first else None,
        warn_lead_hours=first.lead.total_seconds() / 3600 if first and first.lead else None,
        escalate_level=lowest.level if lowest else None,
        escalate_role=lowest.role if lowest else None,
    )


def calendar(found: Calendar) -> out.CalendarOut:
    return out.CalendarOut(
        id=found.id,
        version=found.version,
        time_zone=found.zone.key,
        confirmed_to=found.confirmed_to,
        weekend=sorted(found.weekend),
        hours=[[f"{s.since:%H:%M}-{s.until:%H:%M}" for s in day] for day in found.hours],
    )
