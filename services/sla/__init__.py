"""SLA: by when each complaint must be acknowledged, answered and settled, and what happens when it is late.

Events in: of intake (received, linked, message added) and of routing (classified, routed, transferred, assigned,
acknowledged, information requested and received, responded, resolved, closed, reopened, review opened), in any order
between the two. Events out: `clock.started`, `.moved`, `.paused`, `.resumed`, `.extended`, `.met`, `deadline.warned`,
`.missed`, `complaint.escalated`, `escalation.answered`. Tables owned: `complaint` (what is known of it), `clock`
(several a complaint), `step` (their deadlines), `entry` (their ledgers), `calendar_edition`, `handling`,
`confirmation`; `post`, `notice`, `notice_attempt`, `subscription`, `subscription_secret`, `feed`. The rules are data:
`packs/*.toml`, `calendars/calendars.toml`.
"""
