"""From a text to a running plant: read whole, compared, written to the file, taken over; or nothing of it.

    text ─read─▶ plant ─differences─▶ changes ─▶ file replaced ─▶ changes made ─▶ version kept
      └─ mistakes      └─ needs a restart         │                   └─ fails: file and plant as before
         refused          refused                 └─ killed here: the next start has the new file, whole

The plant file is the one truth: what is applied stands in it, word for word.
"""

import asyncio
import logging
import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from config.load import Outcome, read_plant_bytes
from config.plant import Plant
from config.problems import Phrase, Problem
from connectors import Clock
from gateway.reload.changes import Change, NeedsRestart, differences
from gateway.reload.versions import Versions, digest
from gateway.security import House
from gateway.security.audit import Act
from gateway.sqlite import NewerFormat, sync_directory

log = logging.getLogger(__name__)
_NEW: Final = ".new"


class Refused(Exception):
    """The plant goes on as it was; `phrase` tells why, `problems` where."""

    def __init__(self, code: str, problems: Sequence[Problem] = (), **args: object) -> None:
        super().__init__(code)
        self.code = code
        self.phrase = Phrase(code, args)
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of it."""

    version: int | None
    """Its number; None when the text is the one that runs."""
    changes: tuple[Change, ...]
    warnings: tuple[Problem, ...]


class Changeable(Protocol):
    """A running gateway."""

    plant: Plant

    def change(self, plant: Plant, changes: Sequence[Change]) -> Awaitable[None]:
        """End what changed or is gone, begin what is new."""
        ...


class Applier:
    """Changes one gateway's plant, one text at a time."""

    def __init__(self, gateway: Changeable, plant_file: Path, directory: Path, clock: Clock) -> None:
        self._gateway = gateway
        self._file = plant_file.resolve()
        self.versions = Versions(directory, clock, plant_file)
        self._directory = directory
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def begin(self) -> None:
        """Keep the file the gateway was started with, where it is not the newest version already."""
        try:
            await asyncio.to_thread(self._begin)
        except (OSError, sqlite3.Error, NewerFormat) as exc:
            log.warning("this start's plant file is not kept as a version", extra={"reason": str(exc)})

    async def apply(self, text: bytes, *, who: str, note: str = "", base: str | None = None) -> Applied:
        """Let this text be the plant file; `base` is the digest of the file it was made from.

        Raises:
            Refused: nothing has changed.
        """
        return await self._noted(who, lambda: self._replace(text, who, note, base))

    async def apply_file(self, *, who: str, note: str = "") -> Applied:
        """Take over the file as it stands; raises Refused."""
        return await self._noted(who, lambda: self._take_over(who, note))

    async def roll_back(self, number: int, *, who: str, note: str = "") -> Applied:
        """Apply the text of a version again; raises Refused."""
        return await self._noted(who, lambda: self._go_back(number, who, note))

    def must_run(self, file: str) -> None:
        """Raise Refused where what is asked for is another plant file than the one that runs."""
        if file != self.versions.file:
            runs = self.versions.seen(self.versions.file)
            raise Refused(
                "E-AP-0009", file=self.versions.seen(file), runs=runs, gateway=self._gateway.plant.gateway.id
            )

    async def _noted(self, who: str, work: Callable[[], Awaitable[Applied]]) -> Applied:
        """Do one thing at a time; whoever asked, the audit log tells what came of it."""
        async with self._one_at_a_time:
            try:
                done = await work()
            except Refused as refused:
                await asyncio.to_thread(self._note, who, "config.refused", {"code": refused.code})
                raise
            await asyncio.to_thread(self._note, who, "config.applied", {"version": done.version})
        return done

    def _note(self, who: str, what: Act, about: Mapping[str, object]) -> None:
        try:
            with House(self._directory, self._clock) as house:
                house.audit.append(who, "", what, about)
        except (OSError, sqlite3.Error, NewerFormat) as exc:
            log.error("the audit log can't be written", extra={"what": what, "reason": str(exc)})  # noqa: TRY400

    async def _replace(self, text: bytes, who: str, note: str, base: str | None) -> Applied:
        before = await asyncio.to_thread(self._file.read_bytes)
        if base is not None and digest(before) != base:
            raise Refused("E-AP-0002", file=self._file.name)
        done = await self._apply(text, before, who, note)
        # What its author applies came out of the draft, also where a last word was changed.
        await asyncio.to_thread(self.versions.drop_draft, text, who if base is not None else None)
        return done

    async def _take_over(self, who: str, note: str) -> Applied:
        try:
            text = await asyncio.to_thread(self._file.read_bytes)
        except OSError as exc:
            raise Refused("E-AP-0004", file=self._file, reason=exc.strerror or exc) from exc
        done = await self._apply(text, text, who, note)
        await asyncio.to_thread(self.versions.drop_draft, text)
        return done

    async def _go_back(self, number: int, who: str, note: str) -> Applied:
        found = await asyncio.to_thread(self.versions.one, number)
        if found is None:
            raise Refused("E-AP-0006", number=number)
        version, text = found
        own = self.versions.file, self._gateway.plant.gateway.id
        if (version.file or own[0], version.gateway) != own:
            raise Refused(
                "E-AP-0008",
                number=number,
                file=self.versions.seen(version.file),
                gateway=version.gateway,
                own=self._file.name,
                own_gateway=own[1],
            )
        return await self._replace(text, who, note or f"= {number}", None)

    async def _apply(self, text: bytes, before: bytes, who: str, note: str) -> Applied:
        plant, warnings, changes = await self._compared(text)
        newest = await asyncio.to_thread(self.versions.last_good, plant.gateway.id)
        if not changes and text == before and newest is not None and newest.digest == digest(text):
            return Applied(None, (), warnings)
        old = self._gateway.plant
        try:
            if text != before:
                await asyncio.to_thread(replace_file, self._file, text)
            await self._gateway.change(plant, changes)
            number = await asyncio.to_thread(self.versions.add, text, plant.gateway.id, who, note)
        except (OSError, sqlite3.Error, NewerFormat) as exc:
            await self._take_back(old, plant, before)
            raise Refused("E-AP-0004", file=self._file, reason=exc) from exc
        except Exception as exc:
            log.exception("the new plant file could not be taken over")
            await self._take_back(old, plant, before)
            await asyncio.to_thread(self.versions.add, text, plant.gateway.id, who, note, "failed")
            raise Refused("E-AP-0005", reason=f"{type(exc).__name__}: {exc}") from exc
        log.info(
            "plant file applied",
            extra={"version": number, "who": who, "changes": len(changes), "file": self._file.name},
        )
        return Applied(number, changes, warnings)

    async def _compared(self, text: bytes) -> tuple[Plant, tuple[Problem, ...], tuple[Change, ...]]:
        outcome: Outcome = await asyncio.to_thread(read_plant_bytes, text, str(self._file), self._file.parent)
        if outcome.plant is None:
            raise Refused(
                "E-AP-0001", outcome.problems, count=sum(p.severity == "error" for p in outcome.problems)
            )
        try:
            changes = differences(self._gateway.plant, outcome.plant)
        except NeedsRestart as exc:
            raise Refused("E-AP-0003", outcome.problems, paths=exc) from exc
        return outcome.plant, outcome.problems, changes

    async def _take_back(self, old: Plant, new: Plant, before: bytes) -> None:
        """Bring back the plant that ran, and the file."""
        self._gateway.plant = new  # as far as it came
        await self._gateway.change(old, differences(new, old))
        try:
            await asyncio.to_thread(replace_file, self._file, before)
        except OSError as exc:
            log.error("the plant file could not be taken back", extra={"reason": str(exc)})  # noqa: TRY400

    def _begin(self) -> None:
        text = self._file.read_bytes()
        gateway = self._gateway.plant.gateway.id
        newest = self.versions.last_good(gateway)
        if newest is None or newest.file is None or newest.digest != digest(text):
            self.versions.add(text, gateway, "start", "")


def replace_file(path: Path, text: bytes) -> None:
    """Let the file hold this text or the old one, whatever happens meanwhile; raises OSError."""
    new = path.with_name(path.name + _NEW)
    try:
        with new.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, new)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
