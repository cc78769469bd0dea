"""What each figure is, written down once: its name, its formula, the events that it is made of, and which day counts.

Shown beside the figure wherever it stands, in the reader's language.
"""

from dataclasses import dataclass

from shared.events import (
    ClockMet,
    ClockStarted,
    ComplaintAcknowledged,
    ComplaintAmended,
    ComplaintAssigned,
    ComplaintClassified,
    ComplaintClosed,
    ComplaintDisputed,
    ComplaintRated,
    ComplaintReceived,
    ComplaintReopened,
    ComplaintResolved,
    ComplaintResponded,
    ComplaintRouted,
    DeadlineMissed,
    DeadlineWarned,
    Event,
)
from shared.i18n import mark

RECEIPT = mark("The day of receipt, in the bank's time zone. Imported complaints count when they were first received.")
OWN_DAY = mark("The day on which it happened, in the bank's time zone.")
NOW = mark("The present moment, whatever the period.")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `name`, `formula` and `counts_on` are texts of the catalogues; `events` are what it is made of."""

    key: str
    name: str
    formula: str
    counts_on: str
    events: tuple[type[Event], ...]


_CLOCKS = (ClockStarted, DeadlineWarned, DeadlineMissed, ClockMet)
CATALOGUE = {
    f.key: f
    for f in (
        Figure(
            "received",
            mark("Complaints received"),
            mark("Complaints taken in, each counted once, by what is known of them now."),
            RECEIPT,
            (ComplaintReceived, ComplaintClassified, ComplaintRouted),
        ),
        Figure(
            "acknowledged",
            mark("Complaints acknowledged"),
            mark("Complaints whose complainant was told that the bank has it in hand, each counted once."),
            OWN_DAY,
            (ComplaintReceived, ComplaintAcknowledged),
        ),
        Figure(
            "responded",
            mark("Final responses"),
            mark("Complaints that have had their final response, each counted once, with the first one."),
            OWN_DAY,
            (ComplaintReceived, ComplaintResponded),
        ),
        Figure(
            "resolved",
            mark("Complaints decided"),
            mark("Complaints that the bank has decided, by its latest decision; one reopened since does not count."),
            OWN_DAY,
            (ComplaintReceived, ComplaintResolved, ComplaintReopened),
        ),
        Figure(
            "closed",
            mark("Complaints closed"),
            mark("Complaints that are closed, by their last closing; one reopened since does not count."),
            OWN_DAY,
            (ComplaintReceived, ComplaintClosed, ComplaintReopened),
        ),
        Figure(
            "reopened",
            mark("Complaints reopened"),
            mark("Complaints that were reopened, each counted once, with the first time."),
            OWN_DAY,
            (ComplaintReceived, ComplaintReopened),
        ),
        Figure(
            "disputed",
            mark("Decisions disputed"),
            mark("Complaints whose complainant did not accept the decision, each counted once, with the first time."),
            OWN_DAY,
            (ComplaintReceived, ComplaintDisputed),
        ),
        Figure(
            "rated",
            mark("Satisfaction"),
            mark("What complainants said after the decision, from 1 (not at all) to 5, the latest rating of each."),
            OWN_DAY,
            (ComplaintReceived, ComplaintRated),
        ),
        Figure(
            "total",
            mark("Headline figures"),
            mark(
                "Complaints received, each counted once; those received today, whatever the period; those not closed; "
                "and the deadlines (not the complaints) that have passed without their step taken, without those that "
                "had passed before an import."
            ),
            RECEIPT,
            (ComplaintReceived, ComplaintClosed, ComplaintReopened, *_CLOCKS),
        ),
        Figure(
            "deadlines",
            mark("Deadlines"),
            mark(
                "In time and late: the step was taken, before or after its deadline. Missed: the deadline has passed "
                "and the step is not taken; lapsed: it had passed before the complaint was imported. Running and due "
                "soon: still to come. The share in time is that of in time among in time, late and missed. By step "
                "and department: deadlines told to the complainant; by rule: those of all clocks."
            ),
            RECEIPT,
            (ComplaintReceived, *_CLOCKS),
        ),
        Figure(
            "backlog",
            mark("Open complaints"),
            mark(
                "Complaints received and not closed, by the days since their receipt. At the end of a month: received "
                "by then and not closed by then, as known now."
            ),
            NOW,
            (ComplaintReceived, ComplaintClosed, ComplaintReopened),
        ),
        Figure(
            "acknowledge",
            mark("Time to acknowledge"),
            mark(
                "From receipt to the first acknowledgement, in whole minutes below an hour, whole hours below three "
                "days, whole days beyond. Median and percentiles: the least time that so many did not exceed."
            ),
            OWN_DAY,
            (ComplaintReceived, ComplaintAcknowledged),
        ),
        Figure(
            "respond",
            mark("Time to respond"),
            mark(
                "From receipt to the final response, in whole minutes below an hour, whole hours below three days, "
                "whole days beyond. Median and percentiles: the least time that so many did not exceed."
            ),
            OWN_DAY,
            (ComplaintReceived, ComplaintResponded),
        ),
        Figure(
            "close",
            mark("Time to close"),
            mark(
                "From receipt to the last closing, in whole minutes below an hour, whole hours below three days, "
                "whole days beyond. Median and percentiles: the least time that so many did not exceed."
            ),
            OWN_DAY,
            (ComplaintReceived, ComplaintClosed, ComplaintReopened),
        ),
        Figure(
            "causes",
            mark("Root causes"),
            mark("What lay behind the complaints decided, the most frequent first, with the share of all up to each."),
            OWN_DAY,
            (ComplaintReceived, ComplaintResolved, ComplaintReopened),
        ),
        Figure(
            "redress",
            mark("Redress paid"),
            mark("What decisions granted, summed by currency; nothing is converted."),
            OWN_DAY,
            (ComplaintReceived, ComplaintResolved, ComplaintReopened),
        ),
        Figure(
            "shares",
            mark("Shares"),
            mark(
                "Reopened and disputed: those of the period against its closings. Repeat: received from somebody who "
                "had complained within the 365 days before; vulnerable: from a customer known to be so; both against "
                "all received. Upheld: wholly or partly, against all decided."
            ),
            OWN_DAY,
            (ComplaintReceived, ComplaintAmended, ComplaintResolved, ComplaintClosed, ComplaintReopened),
        ),
        Figure(
            "fairness",
            mark("Vulnerable customers compared"),
            mark(
                "Decisions, time to close and deadlines kept of complaints from vulnerable customers beside all "
                "others. A difference may have other reasons: they complain of other things, through other channels."
            ),
            OWN_DAY,
            (ComplaintReceived, ComplaintAmended, ComplaintResolved, ComplaintClosed, *_CLOCKS),
        ),
        Figure(
            "rates",
            mark("Per thousand"),
            mark(
                "Complaints per thousand customers, accounts or branches, by how many there were on the last day of "
                "the period. None where that has not been entered."
            ),
            OWN_DAY,
            (ComplaintReceived, ComplaintClosed),
        ),
        Figure(
            "load",
            mark("Work in hand"),
            mark(
                "Open complaints by department: how many, how many nobody has taken, how many officers have some, and "
                "how many the middle officer and the one with the most have. Nobody is named."
            ),
            NOW,
            (ComplaintReceived, ComplaintRouted, ComplaintAssigned, ComplaintClosed, ComplaintReopened),
        ),
    )
}
