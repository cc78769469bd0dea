"""Asking a virus scanner: ClamAV's daemon, by its INSTREAM command."""

import asyncio
from collections.abc import AsyncIterator

TIMEOUT = 120.0  # seconds without an answer


class ScannerAway(Exception):
    """The scanner does not answer, or not what was asked."""


async def scan(address: str, parts: AsyncIterator[bytes]) -> str | None:
    """The name of what was found in `parts`; None for a clean file. `address`: host:port. Raises ScannerAway."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(b"zINSTREAM\0")
                async for part in parts:
                    writer.write(len(part).to_bytes(4, "big") + part)
                    await writer.drain()
                writer.write(b"\0\0\0\0")
                await writer.drain()
                answer = (await reader.readuntil(b"\0")).rstrip(b"\0").decode(errors="replace")
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        raise ScannerAway(type(error).__name__) from error
    told = answer.removeprefix("stream: ")
    if told == "OK":
        return None
    if told.endswith(" FOUND"):
        return told.removesuffix(" FOUND")[:150]
    raise ScannerAway("unforeseen answer")
