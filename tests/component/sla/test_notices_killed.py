"""A worker that is killed in the middle of sending loses nothing, and what it had sent and settled stays sent."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.sla.domain.notice import LEASE, Filter
from services.sla.usecases import subscriptions
from services.sla.usecases.sending import AT_ONCE, CHUNK
from services.sla.usecases.subscriptions import Wanted
from tests.component.sla.sinks import KEYS, Desk, HttpSink, MailSink, new_database

SENDER = """
import asyncio, sys
from pathlib import Path
from tests.component.sla.sinks import Desk, HttpSink, MailSink, new_database

async def main(url):
    await Desk(new_database(url), MailSink(), HttpSink(), Path(".")).sender.run_once()

asyncio.run(main(sys.argv[1]))
"""
MANY = 4 * CHUNK


async def test_a_killed_worker_loses_nothing(migrated: Callable[[str], str], tmp_path: Path) -> None:
    url = migrated("sla")
    desk = Desk(new_database(url), MailSink(), HttpSink(), tmp_path)
    await desk.http.start()
    asked = Wanted(desk.http.url("/hook"), "hook", None, "en", Filter())
    async with desk.db.transaction() as tx:
        subscriptions.create(tx, KEYS, asked, private=True, actor="test", now=desk.now)
    await desk.tell(*[await desk.notice(n, reached=None) for n in range(MANY)])

    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", SENDER, url)
    while len(desk.http.got) < CHUNK + CHUNK // 2:
        await asyncio.sleep(0.002)
        assert worker.returncode is None
    worker.send_signal(signal.SIGKILL)
    await worker.wait()
    settled = await desk.states()
    assert settled["sent"] < MANY

    await desk.sender.run_once()
    assert (await desk.states())["sent"] >= MANY - CHUNK, "what it had not taken is sent at once"
    desk.now += LEASE
    await desk.sender.run_once()
    assert await desk.states() == {"sent": MANY}
    arrived: Counter[Any] = Counter(r.headers["webhook-id"] for r in desk.http.got)
    assert len(arrived) == MANY
    again = {id for id, times in arrived.items() if times > 1}
    assert len(again) <= CHUNK, "only what it had in hand may come again"
    assert max(arrived.values()) <= 2
    sent = await desk.rows("SELECT notice_id, count(*) AS n FROM notice_attempt GROUP BY notice_id")
    assert {row["n"] for row in sent} == {1}
    assert desk.http.most_open["/hook"] <= 2 * AT_ONCE
    await desk.close()
    await desk.http.stop()
    await desk.db.close()
    assert timedelta(seconds=60) < LEASE
