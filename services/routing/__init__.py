"""Routing: decides what kind of complaint it is, which department must solve it, and when the case is finished.

Events in: `complaint.received` of intake opens a case; `complaint.escalated` of sla is recorded on it, whichever comes
first; its clocks say what is due next; `complaint.erased` empties what was said.
Events out: `complaint.classified`, `.routed`, `.assigned`, `.acknowledged`, `.responded`, `.resolved`, `.closed`.
Tables owned: `complaint_case` (the case and its casework), `early_escalation` (escalations heard of before their case),
`case_clock` (what sla told of deadlines), `queue_view` and `bulk_action` (the officers' own).
Registers (data, in `classifier/`): taxonomy, products, departments, classification rules, routes. What their codes are
called in returns (data, in `taxonomies/`): JR/T 0169-2018, FCA, CFPB.
"""
