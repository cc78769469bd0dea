"""An engine as a process of its own, to be killed: `python -m tests.component.sla.sweeper URL`. It says so when it has
done something, and ends when nothing is due."""

import asyncio
import sys

from services.sla import store
from services.sla.settings import SlaSettings
from services.sla.usecases import engine
from shared import logs
from shared.db import Database
from tests.component.sla.population import DUE


async def main(url: str) -> None:
    logs.configure("ERROR")
    db = Database("sla", url, store.tables)
    setup = SlaSettings().notice_setup()
    idle = 0
    while idle < 3:
        async with db.transaction() as tx:
            claimed, _ = await engine.fire_batch(tx, now=DUE, limit=50, setup=setup)
        idle = 0 if claimed else idle + 1
        print(claimed, flush=True)
        if not claimed:
            await asyncio.sleep(0.2)
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
