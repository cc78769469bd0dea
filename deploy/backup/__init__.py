"""Backup and restore of all four services as of one moment, while the desk runs.

Why one moment, and not one service after the other? Services hear each other in circles: routing hears intake, intake
hears routing. With intake copied first, a complaint that comes in before routing is copied has a case in the backup
and is nobody's complaint. With intake copied last, it has heard from routing what routing's copy knows nothing of:
after the restore routing decides anew and the complainant is told twice. No order is right for both.

So all outboxes stand still together, for the few milliseconds it takes to begin a snapshot of each database; whatever
was heard by one service has then been told by another *in the backup*, since nothing is heard before it is committed in
an outbox. The copies are made from the snapshots while the desk goes on: `sqlite3`'s online backup, or `pg_dump` on an
exported snapshot. What is restored is therefore the state of a crash at that moment, for which outbox and inbox were
built: what was not sent is sent, what comes again is known and has no second effect. What was sent (to Kafka) and not
heard yet is marked unsent by the restore, so that it does not matter whether Kafka still has it.

Files are copied after that moment: a file is in its store before the row that names it, so none is missing. A file
that has since been dropped was about to be; the restore says so where a row still names it.

Keys are never in a backup, or whoever finds it could read it. That they are at hand, and open what they must, is
checked when it is made and before it is restored.
"""
