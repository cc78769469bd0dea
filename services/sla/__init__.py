"""SLA: by when each complaint must be acknowledged, answered and settled, and what happens when it is late.

Events in: of intake (received, linked) and of routing (routed, assigned, acknowledged, responded, resolved, closed), in
any order between the two.
Events out: `clock.started`, `clock.moved`, `clock.met`, `deadline.warned`, `deadline.missed`, `complaint.escalated`.
Tables owned: `clock` (one a complaint: what is known of it, and the pack that it runs under), `step` (its deadlines).
The policy packs, in which the regulators' limits are written, are data: `packs/*.toml`.
"""
