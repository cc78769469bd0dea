"""When a complainant's data may be erased, and what makes a person vulnerable. Pure."""

from datetime import date, timedelta

from shared.errors import Conflict, FieldError, Invalid

# FCA FG21/1, 2.5: the four drivers of vulnerability; and minors, whom the guidance leaves to other law
VULNERABILITIES = ("health", "life_event", "resilience", "capability", "minor")
GROUNDS = ("request", "retention")
LONGEST_REVIEW = timedelta(days=366)


class UnderLegalHold(Conflict):
    """A legal hold forbids the erasure of this complaint."""

    code = "under_legal_hold"


class StillOpen(Conflict):
    """A complaint is erased only once it is closed: until then its data is needed to handle it."""

    code = "still_open"


class AlreadyLifted(Conflict):
    """This vulnerability is no longer in force."""

    code = "already_lifted"


def check_erasable(*, status: str, held: bool) -> None:
    """Raises UnderLegalHold, StillOpen."""
    if held:
        raise UnderLegalHold
    if status != "closed":
        raise StillOpen


def check_review(review_on: date, *, today: date) -> None:
    """A vulnerability is looked at again within a year, and not in the past. Raises Invalid."""
    if not today <= review_on <= today + LONGEST_REVIEW:
        wrong = FieldError("/review_on", "lies in the past or more than a year ahead", "review_date")
        raise Invalid("Some values cannot be taken; see errors.", errors=(wrong,))
