"""Pages of those who run the desk: webhooks, forms, retention; a secret is shown once, and each role is refused what is
not its own."""

import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from services.intake.store.complaint import Progress
from tests.component.intake.staff import signed_in

Make = Callable[..., dict[str, Any]]
SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
FORM = {
    "title": "Website",
    "channel": "web_form",
    "origins": "https://www.bank.example\nhttps://bank.example:8443/",
    "look_name": "Example Bank",
    "colour": "#7a1f2b",
}
_SECRET = re.compile(r'<pre class="code" id="secret"[^>]*>([^<]+)</pre>')


async def test_a_webhook_is_made_tried_and_switched_off_and_its_secret_shown_once(desk: Any, complaint: Make) -> None:
    async with signed_in(desk, "admin") as browser:
        refused = await browser.send("/webhooks", "/webhooks", url="http://127.0.0.1/hook")
        assert refused.status_code == 422
        assert 'value="http://127.0.0.1/hook"' in refused.text
        events = {"complaint.closed": "yes", "phone": "yes"}
        made = await browser.send("/webhooks", "/webhooks", url="https://bank.example/hook", **events)
        assert made.status_code == 201
        secret = _SECRET.search(made.text)
        assert secret
        assert secret[1].startswith("whsec_")
        [hook] = await desk.rows("SELECT id, events, channels FROM webhook")
        assert (hook["events"], hook["channels"]) == ("complaint.closed", "phone")
        page = f"/webhooks/{hook['id']}"
        assert (await browser.send(page, f"{page}/test")).status_code == 303
        await desk.http.post("/v1/webhooks", json={"url": "https://other.example/"}, headers=desk.headers("phone"))
        for seen in (await browser.see("/webhooks"), await browser.see(page)):
            assert secret[1] not in seen
        assert "https://other.example/" in await browser.see("/webhooks"), "admins see everybody's"
        async with desk.db.transaction() as tx:
            await tx.execute(text("UPDATE delivery SET state = 'failed', next_at = NULL, last_status = 500"))
        delivery = await desk.scalar("SELECT id FROM delivery")
        assert (await browser.send(page, f"{page}/deliveries/{delivery}/again")).status_code == 303
        assert await desk.scalar("SELECT state FROM delivery") == "waiting"
        rotated = await browser.send(page, f"{page}/rotate")
        assert _SECRET.search(rotated.text)[1] != secret[1]  # type: ignore[index]
        assert (await browser.send(page, f"{page}/off")).status_code == 303
        assert "Switch it off" not in await browser.see(page)
        token = re.search(r'name="form_token" value="([^"]+)"', await browser.see("/webhooks"))
        late = await browser.post(f"{page}/test", form_token=token[1])  # type: ignore[index]
        assert late.status_code == 422
        assert "It is switched off." in late.text
    actions = [row["action"] for row in await desk.rows("SELECT action FROM audit WHERE action LIKE 'webhook.%'")]
    assert {"webhook.created", "webhook.tested", "webhook.replayed", "webhook.rotated", "webhook.deleted"} <= {*actions}


@SQLITE
async def test_a_form_is_made_shown_and_changed(desk: Any) -> None:
    async with signed_in(desk, "admin") as browser:
        pale = await browser.send(
            "/forms", "/forms", **(FORM | {"colour": "#ffff00", "origins": "http://bank.example"})
        )
        assert pale.status_code == 422
        made = await browser.send("/forms", "/forms", **FORM)
        secret = _SECRET.search(made.text)
        assert secret
        [form] = await desk.rows("SELECT id, origins FROM form_key")
        assert form["origins"] == "https://www.bank.example https://bank.example:8443"
        page = f"/forms/{form['id']}"
        seen = await browser.get(page)
        assert secret[1] not in seen.text
        assert f"data-key=&#34;{form['id']}&#34;" in seen.text
        assert "frame-src 'self'" in seen.headers["content-security-policy"]
        preview = re.search(r'<iframe class="preview" src="([^"]+)"', seen.text)
        framed = await browser.get(preview[1].replace("&amp;", "&"))  # type: ignore[index]
        assert framed.status_code == 200
        assert "Example Bank" in framed.text
        assert (await browser.send(page, page, **(FORM | {"look_name": "Other Bank"}))).status_code == 303
        assert "Other Bank" in await browser.see(page)
        assert (await browser.send(page, f"{page}/close")).status_code == 303
        assert (await browser.get(page)).status_code == 404
        assert "closed" in await browser.see("/forms")


async def test_holds_forbid_erasure_and_are_lifted_with_a_reason(desk: Any, complaint: Make) -> None:
    made = (await desk.post(complaint())).json()
    id, reference = made["id"], made["reference"]
    async with signed_in(desk, "admin") as browser:
        assert (await browser.send("/retention", "/retention/erasures", reference=reference)).status_code == 422
        sure = {"reference": reference, "sure": "yes"}
        opened = await browser.send("/retention", "/retention/erasures", **sure)
        assert "It is not closed yet" in opened.text
        async with desk.db.transaction() as tx:
            tx.add(Progress(complaint_id=id, status="closed", deadlines="[]", updated_at=desk.now))
        hold = {"reference": reference.lower(), "reason": "HCA 0001/2026"}
        assert (await browser.send("/retention", "/retention/holds", **hold)).status_code == 303
        wrong = await browser.send("/retention", "/retention/holds", reference="261123-0000-00000", reason="x")
        assert 'id="hold-reference-wrong"' in wrong.text
        assert "A legal hold forbids" in (await browser.send("/retention", "/retention/erasures", **sure)).text
        assert (await browser.send("/retention", f"/retention/holds/{id}/lift")).status_code == 422
        lifted = await browser.send("/retention", f"/retention/holds/{id}/lift", reason="Settled; ring 9123 4567")
        assert lifted.status_code == 303
        exported = await browser.send("/retention", "/retention/export", customer_no="C-000001")
        assert exported.headers["content-disposition"].startswith("attachment")
        assert [one["reference"] for one in orjson.loads(exported.content)["complaints"]] == [reference]
        assert (await browser.send("/retention", "/retention/export")).status_code == 422
        assert (await browser.send("/retention", "/retention/erasures", **sure)).status_code == 303
        assert reference in await browser.see("/retention")
    assert await desk.scalar("SELECT sealed_person FROM complaint") is None
    [why] = await desk.rows("SELECT detail FROM audit WHERE action = 'hold.lifted'")
    assert why["detail"] == '{"reason":"Settled; ring [phone]"}'


@SQLITE
async def test_each_role_is_refused_what_is_not_its_own(desk: Any) -> None:
    pages = {
        "/webhooks": {"admin"},
        "/forms": {"admin"},
        "/admin": {"admin"},
        "/retention": {"admin", "supervisor", "auditor"},
    }
    deeds = {
        "/webhooks": {"admin"},
        "/forms": {"admin"},
        "/retention/holds": {"admin", "supervisor"},
        "/retention/erasures": {"admin", "supervisor"},
        "/retention/export": {"admin", "supervisor"},
    }
    for who in ("agent", "officer", "supervisor", "manager", "auditor", "admin"):
        async with signed_in(desk, who) as browser:
            for path, may in pages.items():
                assert (await browser.get(path)).status_code == (200 if who in may else 403), (who, path)
            for path, may in deeds.items():
                if who not in may:
                    assert (await browser.post(path, url="x")).status_code == 403, (who, path)
    async with signed_in(desk, "auditor") as browser:
        assert "<form" not in (await browser.see("/retention")).partition("<main")[2]
