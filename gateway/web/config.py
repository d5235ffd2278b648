"""The plant file on the page: what runs, a draft, what is wrong with it, what would restart, apply, go back.

Reading and comparing happens here, in the page's process; applying is the gateway's (`gateway.reload`).
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from fastapi import FastAPI, Request

from config.load import Outcome, read_plant_bytes
from config.problems import Problem
from connectors import SystemClock
from gateway.control import NoGateway, ask
from gateway.reload import Change, NeedsRestart, Versions, differences
from gateway.reload.commands import as_dict, problem_told
from gateway.reload.unified import unified
from gateway.reload.versions import Taken, digest
from gateway.security import House
from gateway.security.house import By
from gateway.sqlite import NewerFormat
from gateway.web.access.gate import by
from gateway.web.config_models import (
    ConfigApplied,
    ConfigChange,
    ConfigDraft,
    ConfigLooked,
    ConfigNow,
    ConfigProblem,
    ConfigRefused,
    ConfigText,
    ConfigToApply,
    ConfigToCheck,
    ConfigToGoBack,
    ConfigToKeep,
    ConfigVersion,
)
from gateway.web.models import Mistake, Whole
from gateway.web.refused import PageRefused

P = ParamSpec("P")
T = TypeVar("T")
_MS: Final = 1_000_000
_MISTAKES: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Mistake},
    409: {"model": Mistake},
    503: {"model": Mistake},
}
_REFUSALS: Final = _MISTAKES | {409: {"model": ConfigRefused}}


def add_config(app: FastAPI, house: House, directory: Path, plant_file: Path | None) -> None:
    """Add the routes below /api/config."""
    desk = _Desk(directory, plant_file, house)

    @app.get("/api/config", responses=_MISTAKES)
    async def read_config() -> ConfigNow:
        return await desk.ask(desk.now)

    @app.post("/api/config/check", responses=_MISTAKES)
    async def check_config(asked: ConfigToCheck) -> ConfigLooked:
        return await desk.ask(desk.look, asked.text.encode())

    @app.post("/api/config/draft", responses=_MISTAKES)
    async def keep_draft(request: Request, asked: ConfigToKeep) -> ConfigNow:
        await desk.ask(desk.keep, asked, by(request))
        return await desk.ask(desk.now)

    @app.delete("/api/config/draft", responses=_MISTAKES)
    async def drop_draft(request: Request) -> ConfigNow:
        await desk.ask(desk.drop, by(request))
        return await desk.ask(desk.now)

    @app.post("/api/config/apply", responses=_REFUSALS)
    async def apply_config(request: Request, asked: ConfigToApply) -> ConfigApplied:
        who = by(request)
        await asyncio.to_thread(
            house.audit.append, who.name, who.address, "config.apply", {"note": asked.note}
        )
        what = {"text": asked.text, "base": asked.base, "note": asked.note}
        return await desk.command(who.name, **what)

    @app.post("/api/config/rollback", responses=_REFUSALS)
    async def go_back(request: Request, asked: ConfigToGoBack) -> ConfigApplied:
        who, about = by(request), {"version": asked.version, "note": asked.note}
        await asyncio.to_thread(house.audit.append, who.name, who.address, "config.rollback", about)
        return await desk.command(who.name, version=asked.version, note=asked.note)

    @app.get("/api/config/versions", responses=_MISTAKES)
    async def read_versions() -> list[ConfigVersion]:
        return await desk.ask(desk.all)

    @app.get("/api/config/versions/{number}", responses=_MISTAKES)
    async def read_version(number: Whole) -> ConfigText:
        return await desk.ask(desk.version, number)


class _Desk:
    """Reads the file and its versions; everything here waits for the disk, so it runs in a thread."""

    def __init__(self, directory: Path, plant_file: Path | None, house: House) -> None:
        self._directory = directory
        self._house = house
        self._file = None if plant_file is None else plant_file.resolve()
        self.versions = Versions(directory, SystemClock(), plant_file)

    async def ask(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call in a thread; 503 where a file can't be read or written."""
        try:
            return await asyncio.to_thread(call, *args, **kwargs)
        except (OSError, sqlite3.Error, NewerFormat) as exc:
            raise PageRefused(503, "E-PG-0028", reason=exc) from exc

    async def command(self, who: str, **what: Any) -> ConfigApplied:
        """Let the gateway apply; 409 with what is wrong where it refuses."""
        try:
            answer = await asyncio.to_thread(ask, self._directory, "apply", who=who, language="en", **what)
        except NoGateway as exc:
            raise PageRefused(503, "E-PG-0018") from exc
        if "refused" in answer:
            problems = [_told(each) for each in answer["problems"]]
            raise PageRefused(409, answer["refused"], **answer["args"]).with_more(problems=problems)
        return ConfigApplied(
            version=answer["version"], changes=[ConfigChange(**each) for each in answer["changes"]]
        )

    def now(self) -> ConfigNow:
        """Return the file, what runs, and the draft."""
        name, text = self._text()
        newest, draft = self.versions.last_good(), self.versions.draft()
        return ConfigNow(
            name=name,
            text=text.decode("utf-8", "replace"),
            base=digest(text),
            version=newest.number if newest else None,
            is_running=newest is None or newest.digest == digest(text),
            draft=None
            if draft is None
            else ConfigDraft(
                text=draft.text.decode("utf-8", "replace"),
                who=draft.who,
                time=draft.time // _MS,
                base=draft.base,
            ),
        )

    def keep(self, asked: ConfigToKeep, who: By) -> None:
        """Keep a draft; 409 where another's would be overwritten."""
        text = asked.text.encode()
        try:
            self.versions.save_draft(text, who.name, asked.base, asked.over)
        except Taken as exc:
            raise PageRefused(409, "E-AP-0007", who=exc) from exc
        self._house.audit.append(who.name, who.address, "config.draft", {"digest": digest(text)})

    def drop(self, who: By) -> None:
        """Forget the draft, whosever it is."""
        draft = self.versions.draft()
        if draft is not None:
            about = {"dropped": digest(draft.text), "of": draft.who}
            self._house.audit.append(who.name, who.address, "config.draft", about)
            self.versions.drop_draft()

    def look(self, text: bytes) -> ConfigLooked:
        """Return what applying this text would do."""
        name, file = self._text()
        newest = self.versions.last_good()
        before = file if newest is None else self.versions.text(newest.number) or file
        wanted = self._read(text)
        running = self._read(before).plant
        changes: tuple[Change, ...] = ()
        fixed: tuple[str, ...] = ()
        if wanted.plant is not None and running is not None:
            try:
                changes = differences(running, wanted.plant)
            except NeedsRestart as exc:
                fixed = exc.paths
        return ConfigLooked(
            problems=[_problem(each) for each in wanted.problems],
            changes=[ConfigChange(**as_dict(each)) for each in changes],
            needs_restart=list(fixed),
            # What can't run is compared with nothing: a text that is a bomb would cost seconds.
            diff="" if wanted.plant is None else unified(before, text, name, name),
            can_apply=wanted.plant is not None and not fixed,
        )

    def all(self) -> list[ConfigVersion]:
        """Return the versions, the newest first."""
        return [
            ConfigVersion(
                number=each.number, time=each.time // _MS, who=each.who, note=each.note, state=each.state
            )
            for each in self.versions.all()
        ]

    def version(self, number: int) -> ConfigText:
        """Return a version's text; 404 when there is none of this number."""
        text = self.versions.text(number)
        if text is None:
            raise PageRefused(404, "E-AP-0006", number=number)
        last = next((each.number for each in self.versions.all() if each.number < number), 0)
        before = self.versions.text(last) or b""
        name, _ = self._text()
        return ConfigText(
            number=number,
            text=text.decode("utf-8", "replace"),
            diff=unified(before, text, f"{name} {last}", f"{name} {number}"),
        )

    def _text(self) -> tuple[str, bytes]:
        if self._file is None:
            raise PageRefused(404, "E-PG-0026")
        return self._file.name, self._file.read_bytes()

    def _read(self, text: bytes) -> Outcome:
        folder = Path() if self._file is None else self._file.parent
        return read_plant_bytes(text, "" if self._file is None else self._file.name, folder)


def _problem(problem: Problem) -> ConfigProblem:
    return _told(problem_told(problem, "en"))


def _told(problem: Mapping[str, Any]) -> ConfigProblem:
    return ConfigProblem(**{name: problem[name] for name in ConfigProblem.model_fields})
