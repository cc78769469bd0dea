"""Reporting: what the figures say.

Hears everything that intake, routing and sla tell of complaints (`HANDLED` in consumers.py); publishes nothing yet.
Owns `complaint_fact` (one row a complaint: what figures are made of) and the counters `volume`, `deadline_count` and
`margin`, which move in the transaction in which a fact changes, so that figures are read without looking at complaints.
`/v1/figures/...` gives the figures as JSON, `/dashboard` shows them.
"""
