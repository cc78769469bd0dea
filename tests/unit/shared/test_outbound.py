"""Posting to addresses that callers gave us: to the address that was checked, and nowhere that an answer leads."""

import httpx
import pytest

from shared.outbound import NotAllowed, NotReached, Outbound


async def _told(host: str, port: int) -> list[str]:
    """What the system says of a name; of one, that it stands for somebody inside."""
    return {"inside.example": ["10.0.0.1"], "both.example": ["93.184.216.34", "::1"]}.get(host, ["93.184.216.34"])


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    asked: list[tuple[str, str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.host, request.headers["host"], request.extensions["sni_hostname"]))
        return httpx.Response(307, headers={"location": "http://169.254.169.254/latest/meta-data"})

    async with Outbound(resolve=_told, transport=httpx.MockTransport(answer)) as outbound:
        assert await outbound.post("https://bank.example:8443/hook", b"{}", {}) == 307
        for inside in ("https://inside.example/", "https://both.example/"):
            with pytest.raises(NotAllowed):
                await outbound.post(inside, b"{}", {})
    assert asked == [("93.184.216.34", "bank.example:8443", "bank.example")], "the checked address, under its own name"


@pytest.mark.parametrize("written", ["2130706433", "0x7f.1", "017700000001", "127.1", "localhost", "localhost."])
async def test_whatever_the_system_makes_of_a_notation_is_what_is_checked(written: str) -> None:
    def nobody(request: httpx.Request) -> httpx.Response:
        raise AssertionError("reached")

    async with Outbound(transport=httpx.MockTransport(nobody)) as outbound:
        with pytest.raises(NotReached):  # also where a system knows no such notation
            await outbound.post(f"https://{written}/", b"{}", {})


async def test_an_address_that_cannot_be_read_is_not_reached_and_no_failure_of_ours() -> None:
    async with Outbound(resolve=_told) as outbound:
        with pytest.raises(NotReached, match="InvalidURL"):
            await outbound.post("https://\u24dbocalhost/", b"{}", {})
