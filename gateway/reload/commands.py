"""What the command line and the page may ask of a running gateway's applier; and the signal."""

import asyncio
import logging
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from config.problems import Language, Problem
from gateway.control import Verb
from gateway.reload.applying import Applied, Applier, Refused
from gateway.reload.changes import Change

log = logging.getLogger(__name__)


def verbs(applier: Applier) -> dict[str, Verb]:
    """Return the commands by name; each answers what was applied, or why nothing was."""

    async def apply(asked: Mapping[str, Any]) -> dict[str, Any]:
        text, base = asked.get("text"), asked.get("base")
        who, note = str(asked.get("who", "")), str(asked.get("note", ""))
        language: Language = "zh" if asked.get("language") == "zh" else "en"
        try:
            if asked.get("file") is not None:
                applier.must_run(str(asked["file"]))
            if asked.get("version") is not None:
                done = await applier.roll_back(int(asked["version"]), who=who, note=note)
            elif text is None:
                done = await applier.apply_file(who=who, note=note)
            else:
                done = await applier.apply(str(text).encode(), who=who, note=note, base=base)
        except Refused as refused:
            return as_refused(refused, language)
        return as_applied(done, language)

    return {"apply": apply}


def as_refused(refused: Refused, language: Language) -> dict[str, Any]:
    """Return a refusal for programs, in the asker's language; problems for the page, which speaks two."""
    return {
        "refused": refused.code,
        "why": refused.phrase.text(language),
        "args": {key: str(value) for key, value in refused.phrase.args.items()},
        "problems": [problem_told(each, language) for each in refused.problems],
    }


def problem_told(problem: Problem, language: Language) -> dict[str, Any]:
    """Return a problem for programs, its message in the asker's language and in both."""
    return problem.as_dict(language) | {"zh": problem.message("zh"), "en": problem.message("en")}


def as_applied(done: Applied, language: Language) -> dict[str, Any]:
    """Return what was applied, for programs."""
    return {
        "version": done.version,
        "changes": [as_dict(each) for each in done.changes],
        "problems": [each.as_dict(language) for each in done.warnings],
    }


def as_dict(change: Change) -> dict[str, Any]:
    """Return a change for programs."""
    return {"part": change.part, "name": change.name, "how": change.how, "devices": list(change.devices)}


@contextmanager
def on_hang_up(applier: Applier) -> Iterator[None]:
    """Take over the file when the program is told to by SIGHUP; there is none on Windows."""
    if not hasattr(signal, "SIGHUP"):
        yield
        return
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[None]] = set()

    def heard() -> None:
        task = loop.create_task(_take_over(applier))
        running.add(task)
        task.add_done_callback(running.discard)

    loop.add_signal_handler(signal.SIGHUP, heard)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def _take_over(applier: Applier) -> None:
    try:
        await applier.apply_file(who="SIGHUP")
    except Refused as refused:
        told: tuple[Problem, ...] = refused.problems
        extra = {"code": refused.code, "reason": refused.phrase.text("en")}
        if told:
            extra["first"] = told[0].render("en")
        log.error("the plant file was not taken over", extra=extra)  # noqa: TRY400  the mistake is in the file
