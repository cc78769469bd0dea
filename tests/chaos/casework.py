"""An officer who works cases over routing's API."""

from typing import Any

import httpx

from tests.chaos.sites import Site
from tests.chaos.waiting import until

_RESOLUTION = {"outcome": "upheld", "root_cause": "system_failure", "redress": {"value": "50.00", "currency": "HKD"}}
WHOLE_LIFE = ("claim", "acknowledge", "respond", "resolve", "close")


async def work(site: Site, complaint_id: str, *verbs: str) -> None:
    """Take these steps with a case, once routing has it."""
    headers = {"Authorization": f"Bearer {site.tokens['officer']}"}
    async with httpx.AsyncClient(base_url=site.url("routing"), headers=headers, timeout=20) as client:

        async def there() -> bool:
            return (await client.get(f"/v1/cases/{complaint_id}")).status_code == 200

        await until(there, within=30, what="the case")
        for verb in verbs:
            body: dict[str, Any] = _RESOLUTION if verb == "resolve" else {}
            answer = await client.post(f"/v1/cases/{complaint_id}/{verb}", json=body)
            assert answer.status_code == 200, f"{verb}: {answer.text}"
