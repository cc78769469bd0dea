"""Returns to regulators, and what their rules have a bank publish: one pure function each, from records to tables.

Regulators' products, causes and channels are not the desk's. A `Crosswalk` leads from one to the other; what it does
not know is counted on a line of its own, `unmapped`, with a note, and is never dropped, so that the lines of a table
always add up. Percentages and rates are rounded half up, at the last moment, from whole counts.

A regulator gets exact figures: nothing is suppressed here. Of what is published (`uk.publication`) the FCA's rule
asks for exact figures as well, from 500 complaints in the half-year.
"""

from services.reporting.domain.returns.record import Outcome, Record
from services.reporting.domain.returns.table import (
    UNMAPPED,
    Crosswalk,
    Entry,
    NotInForce,
    Period,
    Table,
    WrongPeriod,
)

__all__ = [
    "UNMAPPED",
    "Crosswalk",
    "Entry",
    "NotInForce",
    "Outcome",
    "Period",
    "Record",
    "Table",
    "WrongPeriod",
]
