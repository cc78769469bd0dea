"""What anybody sees who starts the desk for the first time and sends it a complaint."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from tests.chaos.sites import DeskSite
from tests.chaos.waiting import until


@pytest.mark.alone
@pytest.mark.timeout(120)
async def test_a_new_desk_takes_a_complaint_and_within_two_seconds_everybody_knows_of_it(desk: DeskSite) -> None:
    keys = desk.tokens
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{desk.port}", timeout=10) as client:

        async def get(path: str, who: str) -> Any:
            answer = await client.get(path, headers={"Authorization": f"Bearer {keys[who]}"})
            assert answer.status_code == 200, answer.text
            return answer.json()

        total = (await get("/reporting/v1/figures/total", "manager"))["total"]
        body = {
            "channel": "phone",
            "narrative": "The mobile app was down all morning and my transfer failed.",
            "complainant": {"name": "Chan Example", "phone": "+852 5550 0001"},
        }
        began = time.monotonic()
        taken = await client.post(
            "/intake/v1/complaints", json=body, headers={"Authorization": f"Bearer {keys['phone']}"}
        )
        seconds = time.monotonic() - began
        assert taken.status_code == 201, taken.text
        assert seconds < 1
        id, reference = taken.json()["id"], taken.json()["reference"]

        async def known() -> Any:
            found = await get(f"/intake/v1/complaints/{id}", "phone")
            return found["department"] and found["type"] and found["deadlines"] and found

        async def listed() -> bool:
            page = await get("/routing/v1/cases", "officer")
            return [case["reference"] for case in page["items"]] == [reference]

        async def counted() -> bool:
            return bool((await get("/reporting/v1/figures/total", "manager"))["total"] == total + 1)

        found, _, _ = await asyncio.gather(*(until(check, within=2) for check in (known, listed, counted)))
        print(f"201 after {seconds * 1000:.0f} ms, known to all after {(time.monotonic() - began) * 1000:.0f} ms")
        assert found["type"] == "channel"
        assert {d["step"] for d in found["deadlines"]} >= {"acknowledge", "final"}
        clock = await get(f"/sla/v1/clocks/{id}", "officer")
        assert clock
        front = await client.get("/health/ready")
        assert front.status_code == 200
