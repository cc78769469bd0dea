"""Intake: takes every complaint in, once, whatever its channel; keeps what was said and by whom; answers how it stands.

Events in: of routing (classified, routed, assigned, acknowledged, responded, resolved, closed) and of sla (clock
started and met, deadline missed, escalated), from which it knows each complaint's status and deadlines.
Events out: `complaint.received`, `.linked` (reports of one matter, see `usecases.link`), `.message_added`, `.withdrawn`,
`.rated`, `.disputed` (what the complainant says afterwards, see `usecases.voice`).
Tables owned: `complaint` (as received; personal data and narrative sealed), `progress` (what the others have said),
`trait` and `link` (what complaints are compared by, and what may be one matter), `message`, `withdrawal`, `rating`,
`dispute`.
Personal data lives here alone, encrypted.
"""
