"""A disk that is full, and one that is slow, under the desk's SQLite files."""

import asyncio
import os
import random
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.chaos import invariants, load, sites, truth
from tests.chaos.load import Channels, Complaint
from tests.chaos.sites import DeskSite
from tests.chaos.waiting import until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(400)]
_SIZE = "96m"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory, that is soon full."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a file system, where the machine permits it")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


async def test_a_full_disk_is_answered_503_and_loses_nothing(small_disk: Path, rng: random.Random) -> None:
    filler = small_disk / "filler"
    batch = load.complaints(150, rng, series="full")
    async with _desk(DeskSite(small_disk / "home")) as desk, sites.databases(desk) as databases:
        before = await truth.count(databases)
        async with Channels(desk.url("intake"), desk.tokens["channels"], rng) as channels:
            for part in load.portions(batch, 3):
                goal = channels.told.taken + rng.randrange(len(part) // 2)
                channels.post(part)
                await until(lambda g=goal: channels.told.taken >= g, within=60, every=0.002)  # type: ignore[misc]
                await asyncio.to_thread(_fill, filler)
                refused, again = await _refused(channels, part[-1], filler)
                await asyncio.sleep(rng.uniform(0, 3))
                filler.unlink()
                channels.post([again])
                assert refused.status_code == 503
                assert refused.json()["code"] == "unavailable"
                assert refused.json()["detail"].startswith("The disk ")
                assert int(refused.headers["retry-after"]) >= 1
            await channels.finished()
        print(f"tries that failed: {dict(channels.told.retries)}")
        assert channels.told.wrong == []
        assert await invariants.broken(databases, before=before, answers=channels.told.answers.values()) == []
        assert desk.dead() == [], "it has gone on by itself"
        assert await asyncio.to_thread(sites.answers, f"http://127.0.0.1:{desk.port}")


@pytest.mark.slow
async def test_on_a_slow_disk_all_is_slow_and_nothing_is_lost(tmp_path: Path, rng: random.Random) -> None:
    """The flushes of the desk's process take long, as on a disk that is busy or dying: an answer waits for its own."""
    shim, pace = tmp_path / "slow_flush.so", tmp_path / "pace"
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler, which the shim between SQLite and the disk needs")
    source = Path(__file__).with_name("slow_flush.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(shim), str(source), "-ldl"], check=True)
    pace.write_text("0")
    batch = load.complaints(60, rng, series="slow")
    site = DeskSite(tmp_path / "home", env={"LD_PRELOAD": str(shim), "SLOW_FLUSH": str(pace)})
    async with _desk(site) as desk, sites.databases(desk) as databases:
        before = await truth.count(databases)
        async with Channels(desk.url("intake"), desk.tokens["channels"], rng) as channels:
            for part in load.portions(batch, 4):
                milliseconds = rng.choice((50, 300, 1500))
                pace.write_text(str(milliseconds))
                began = time.monotonic()
                channels.post(part)
                await channels.finished()
                assert time.monotonic() - began > milliseconds / 1000, "no answer is before its flush"
            pace.write_text("0")
        assert channels.told.wrong == []
        assert await invariants.broken(databases, before=before, answers=channels.told.answers.values()) == []
        assert desk.dead() == []


@asynccontextmanager
async def _desk(desk: DeskSite) -> AsyncIterator[DeskSite]:
    try:
        await asyncio.to_thread(desk.start_and_wait)
        yield desk
    finally:
        await asyncio.to_thread(desk.process.stop, seconds=15)


def _fill(file: Path) -> None:
    """Leave no block of the file system for anybody else."""
    with file.open("wb", buffering=0) as opened:
        for size in (1 << 20, 1 << 12):
            while True:
                try:
                    opened.write(bytes(size))
                except OSError:
                    break


async def _refused(channels: Channels, like: Complaint, filler: Path) -> tuple[httpx.Response, Complaint]:
    """The first answer that is no 201, and to what: the log has room left over that it may use again."""
    body = {name: value for name, value in like.body.items() if name != "channel_ref"}

    async def full() -> tuple[httpx.Response, Complaint] | None:
        await asyncio.to_thread(_top_up, filler)
        one = Complaint(f"{like.key}-{os.urandom(4).hex()}", body)
        answer = await channels.try_once(one)
        if answer.status_code == 201:
            channels.told.answers[one.key] = answer.content
            return None
        return answer, one

    found: tuple[httpx.Response, Complaint] = await until(full, within=30, every=0.01)
    return found


def _top_up(file: Path) -> None:
    with file.open("ab", buffering=0) as opened:
        while True:
            try:
                opened.write(bytes(1 << 12))
            except OSError:
                return
