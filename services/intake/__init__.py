"""Intake: takes every complaint in, once, whatever its channel; keeps what was said and by whom; answers how it stands.

Events in: of routing (classified, routed, assigned, acknowledged, responded, resolved, closed, letter issued,
information requested), of sla (clock started, moved and met, deadline missed, escalated), and its own: see `consumers`.
Events out: `complaint.received`, `.linked` (reports of one matter), `.message_added`, `.withdrawn`, `.rated`,
`.disputed` (what the complainant says afterwards), `.amended` (vulnerability), `.notified` (what went out), `.erased`.
Tables owned: `complaint` (as received; personal data and narrative sealed), `progress` (what the others have said),
`trait`, `name_part`, `link`, `message`, `mail_thread`, `dispatch`, `rating`, `dispute`, `withdrawal`, `hold`,
`erasure`, `vulnerability`, `webhook`, `delivery`, `attachment`, `form_key`.
Personal data lives here alone, encrypted.
"""
