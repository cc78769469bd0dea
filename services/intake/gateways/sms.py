"""Sending one SMS: whether it went, may go later, or never will."""

import httpx

from shared.smtp import Never, NotNow, Outgoing, Send


def sms(url: str, *, key: str, sender: str, client: httpx.AsyncClient) -> Send:
    """By an HTTP gateway: POST `{from, to, text}` with a bearer token and the dispatch's id as Idempotency-Key."""

    async def send(one: Outgoing) -> None:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": one.id}
        body = {"from": sender, "to": "".join(c for c in one.to if c.isdigit() or c == "+"), "text": one.text}
        try:
            response = await client.post(url, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise NotNow(type(error).__name__) from None
        if response.is_success:
            return
        if response.status_code in (401, 403, 408, 425, 429) or response.status_code >= 500:
            raise NotNow(f"the gateway answered {response.status_code}")
        raise Never(f"the gateway answered {response.status_code}")

    return send
