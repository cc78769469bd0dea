"""`redress demo`: against a running desk, or one of its own that it starts and leaves running until it is done."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import httpx
from rich.console import Console

from deploy import dev_keys
from deploy.demo.run import run as send


def run(*, count: int, seed: int, url: str | None, port: int, home: Path, console: Console) -> int:
    """The exit code."""
    desk = url or f"http://127.0.0.1:{port}"
    own: subprocess.Popen[bytes] | None = None
    if not _answers(desk):
        if url is not None:
            console.print(f"No desk answers at {desk}.", markup=False)
            return 1
        console.print("No desk is running: starting one for the demo.")
        command = [sys.executable, "-m", "deploy.cli", "up", "--port", str(port), "--home", str(home)]
        own = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        if not _wait(desk, own):
            console.print("It did not start; try `make up` to see why.")
            return 1
    try:
        known = dev_keys.load(home)
        report = asyncio.run(
            send(
                f"{desk}/intake",
                known["import"],
                count=count,
                seed=seed,
                console=console,
                staff_key=known["officer"],
                approver_keys=[known["supervisor"], known["manager"]],
                routing_url=f"{desk}/routing",
            )
        )
        if own is not None and report.exit_code == 0:
            console.print("The desk stays up to be looked at; Ctrl-C stops it.")
            own.wait()
        return report.exit_code
    except KeyboardInterrupt:
        return 0
    finally:
        if own is not None and own.poll() is None:
            own.terminate()
            own.wait(20)


def _answers(desk: str) -> bool:
    try:
        return httpx.get(f"{desk}/health/live", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def _wait(desk: str, process: "subprocess.Popen[bytes]") -> bool:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        if _answers(desk):
            return True
        time.sleep(0.2)
    return False
