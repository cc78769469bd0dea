"""The desk's front page in a real browser: how it is, in three languages, on a telephone and on a desk."""

import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from deploy.health import page as health_page
from deploy.health.survey import Source
from shared.settings import Settings

pytestmark = pytest.mark.chromium
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}}
READY = {
    "status": "ready",
    "version": "1",
    "reasons": [],
    "causes": [],
    "checks": {
        "outbox": {"depth": 0, "oldest_age_seconds": 0.0},
        "parked": {"total": 0},
        "workers": {"w": {"lag": {"redress.intake.v1": 3}}},
    },
}
WAITING = READY | {
    "status": "degraded",
    "causes": [{"code": "outbox_waits", "count": 12, "seconds": 61}, {"code": "bus_away", "worker": "routing@a"}],
}


def _answering(report: dict[str, object]) -> Source:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=report))
    return Source("/somewhere", httpx.AsyncClient(transport=transport, base_url="http://service"))


def _silent() -> Source:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("down", request=request)

    return Source("/elsewhere", httpx.AsyncClient(transport=httpx.MockTransport(fail), base_url="http://x"))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    sources = {"intake": _answering(READY), "routing": _answering(WAITING), "reporting": _silent()}
    server = uvicorn.Server(
        uvicorn.Config(health_page.create_app(Settings(), sources), port=0, log_config=None, lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("zh-Hant", ["投訴處理台", "待發事件", "12 個事件等待發布", "服務沒有回應"]),
        ("zh-Hans", ["投诉处理台", "待发事件", "12 个事件等待发布", "服务没有响应"]),
        ("en", ["Complaint desk", "Events waiting", "12 events wait to be published", "does not answer"]),
    ],
)
@pytest.mark.parametrize(("path", "width"), [("/", 360), ("/health", 360), ("/", 1280), ("/health", 1280)])
def test_it_says_in_each_language_what_is_wrong_and_nobody_is_kept_out(
    address: str, chromium: Browser, language: str, words: list[str], path: str, width: int
) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 800})
    page.goto(f"{address}{path}?lang={language}")
    text = page.inner_text("body")
    assert [w for w in words[path != "/" :] if w not in text] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "it must not scroll sideways"
    violations = Axe().run(page, options=RULES).response["violations"]
    assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in violations] == []
    page.close()
