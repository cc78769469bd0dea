"""Officers who work cases over routing's API, as patiently as the channels post."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.chaos.scale import PATIENCE
from tests.chaos.sites import Site

WHOLE_LIFE = ("claim", "acknowledge", "respond", "resolve", "close")
_RESOLUTION = {"outcome": "upheld", "root_cause": "system_failure", "redress": {"value": "50.00", "currency": "HKD"}}
_BODIES: dict[str, dict[str, Any]] = {"resolve": _RESOLUTION, "respond": {"via": "post", "rights_told": True}}
_PATIENCE = 120.0 * PATIENCE  # seconds


@dataclass(slots=True)
class Officer:
    """Takes steps with cases, each until it is taken. `closed` are the complaints whose whole life went by."""

    site: Site
    retries: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    async def work(self, complaint_id: str, *verbs: str) -> None:
        """Take these steps with a case, once routing has it. What goes wrong for good is told in `wrong`."""
        headers = {"Authorization": f"Bearer {self.site.tokens['officer']}"}
        url = self.site.url("routing")
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=httpx.Timeout(20, connect=2)) as client:
            for verb in verbs:
                if not await self._until_taken(client, complaint_id, verb):
                    return
        if "close" in verbs:
            self.closed.append(complaint_id)

    async def _until_taken(self, client: httpx.AsyncClient, complaint_id: str, verb: str) -> bool:
        body: dict[str, Any] = _BODIES.get(verb, {})
        pause, until, unsure = 0.05, time.monotonic() + _PATIENCE, False
        while time.monotonic() < until:
            try:
                answer = await client.post(f"/v1/cases/{complaint_id}/{verb}", json=body)
            except httpx.HTTPError as error:
                unsure = True  # it may have been taken, and only the answer was lost
                self.retries[type(error).__name__] += 1
            else:
                if answer.status_code == 200 or (answer.status_code == 409 and unsure):
                    return True
                if answer.status_code not in (404, 503):
                    self.wrong.append(f"{verb} of {complaint_id}: {answer.status_code} {answer.text[:300]}")
                    return False
                unsure = unsure or answer.status_code == 503  # the database may have gone during the commit
                self.retries[str(answer.status_code)] += 1
            await asyncio.sleep(pause * random.uniform(0.5, 1))
            pause = min(pause * 2, 1.0)
        self.wrong.append(f"{verb} of {complaint_id} was not taken within {_PATIENCE:.0f} s")
        return False


async def work(site: Site, complaint_id: str, *verbs: str) -> None:
    """Take these steps with a case while nothing is broken."""
    officer = Officer(site)
    await officer.work(complaint_id, *verbs)
    assert officer.wrong == []
