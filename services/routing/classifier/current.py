"""The rulebook in use: read again when its files change, and given another model when one is adopted.

What cannot be used is left alone: the desk goes on with what it has, and says what is wrong.
"""

import time
from collections.abc import Callable
from pathlib import Path

import structlog

from services.routing.classifier.decide import Rulebook
from services.routing.classifier.model import Model
from services.routing.classifier.registers import FILES, BadRegister, read

LOOK_EVERY = 2.0  # seconds
log = structlog.get_logger()


class Current:
    """`trouble` says why the newest files are not in use, None where they are."""

    def __init__(self, folder: Path, model: Model | None, *, ticks: Callable[[], float] = time.monotonic) -> None:
        """Raises BadRegister: a desk does not start on registers that cannot be used."""
        self._folder, self._ticks = folder, ticks
        self._stamp = self._stamps()
        self._book = Rulebook(read(folder), model)
        self._looked = ticks()
        self.trouble: str | None = None

    @property
    def book(self) -> Rulebook:
        """The rulebook to decide by now."""
        now = self._ticks()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            if (stamp := self._stamps()) != self._stamp:
                self._stamp = stamp
                self._read_again()
        return self._book

    def adopt(self, model: Model | None) -> None:
        """Decide by another model from now on."""
        self._book = self._book.with_model(model)

    def _read_again(self) -> None:
        try:
            self._book = Rulebook(read(self._folder), self._book.model)
        except BadRegister as error:
            self.trouble = str(error)
            log.error("registers.unusable", service="routing", error=str(error))
        else:
            self.trouble = None
            log.info("registers.read", service="routing", version=self._book.version)

    def _stamps(self) -> tuple[tuple[str, int, int], ...]:
        found = []
        for name in FILES:
            try:
                stat = (self._folder / name).stat()
            except OSError:
                continue
            found.append((name, stat.st_mtime_ns, stat.st_size))
        return tuple(found)
