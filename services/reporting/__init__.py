"""Reporting: what the figures say.

Hears what intake, routing and sla tell of complaints that counts (`HANDLED` in consumers.py); publishes
`surge.detected` and `goal.missed`.

Owns the read model, in slots, so that it can be built anew beside the live one (`read_model`): `fact` (one row a
complaint: what is known of it and where it counts), `deadline_fact`, and the counters (`tally`), which move in the
transaction in which a fact changes, so that figures are read without looking at complaints. Beside it `customer` and
`complaint_text`; what it has found (`surge`), made (`report`) and published (`publication`); and what the bank sets
itself and asks people: `goal`, `measure`, `survey`, `base_count`, `commendation` with theirs.

`/v1/figures/...` gives the figures as JSON, `/dashboard` and its pages show them, `/v1/reports` makes reports of them,
`/v1/exports` gives them as files, `/v1/returns` what regulators ask for, `/public-summary` what the public is told.
"""
