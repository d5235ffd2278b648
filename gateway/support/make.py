"""Making a support archive: gather, take the secrets out, look once more, only then write."""

import asyncio
import json
import os
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from config.load import read_plant
from config.plant import Gateway
from config.problems import ConfigurationError, Language, Problem
from gateway.backup.archive import BackupFailed
from gateway.backup.referred import holds_private_key, read_tree, refer
from gateway.support import stores
from gateway.support.machine import about_machine, certificates, packages
from gateway.support.plant_text import PlantText, unreadable_problem, unreadable_text
from gateway.support.readme import readme
from gateway.support.secrets import Secrets, secrets_in_text, secrets_of

_ANSWER_WITHIN_S: Final = 5.0
_LOG_BYTES: Final = 2**20
_MOST_TAGS: Final = 100_000


@dataclass(frozen=True, slots=True)
class _Subject:
    """What the archive is about."""

    plant_file: Path
    root: Mapping[str, Any] | None
    problems: tuple[Problem, ...]
    data_dir: Path
    port: int
    certificates: tuple[Path, ...]
    secrets: Secrets


def make_support(
    plant_file: Path, out: Path, *, language: Language, log: str | None = None, with_values: bool = False
) -> list[str]:
    """Write the archive; return the names of what it holds.

    `log` is the end of the gateway's log, if there is one. A running gateway is asked how it is.

    Raises:
        BackupFailed: nothing was written; why, by code.
    """
    subject = _subject(plant_file)
    if out.exists():
        raise BackupFailed("E-BK-0003", file=out)
    members = _gathered(subject, language)
    if log is not None:
        members["log.txt"] = subject.secrets.in_text(log[-_LOG_BYTES:])
    if with_values:
        members["values.json"] = subject.secrets.in_text(_values(subject))
    members["README.txt"] = readme(sorted([*members, "README.txt"]), has_log=log is not None)
    for name, text in members.items():
        if subject.secrets.found_in(text.encode("utf-8", "replace")):
            raise BackupFailed("E-BK-0040", member=name)
    try:
        _write(out, members)
    except OSError as exc:
        raise BackupFailed("E-BK-0004", file=out, reason=exc.strerror or exc) from exc
    return sorted(members)


def _subject(plant_file: Path) -> _Subject:
    folder = plant_file.resolve().parent
    try:
        found = refer(plant_file)
        root = read_tree(plant_file)
    except ConfigurationError as exc:
        text = plant_file.read_text(encoding="utf-8", errors="replace")
        secrets = secrets_in_text(text, folder)
        return _Subject(plant_file, None, exc.problems, folder / "data", _port(None), (), secrets)
    pki = [file for file in found.data_dir.rglob("*.der") if not holds_private_key(file)]
    files = (*found.certificates, *(each for each in pki if not each.name.startswith("key.")))
    wanted = tuple(each for each in files if each.suffix.lower() not in (".yaml", ".yml"))
    secrets = secrets_of(root, folder)
    return _Subject(plant_file, root, (), found.data_dir, _port(root), wanted, secrets)


def _port(root: Mapping[str, Any] | None) -> int:
    about = (root or {}).get("gateway")
    port = about.get("http_port") if isinstance(about, Mapping) else None
    return port if isinstance(port, int) else int(Gateway.model_fields["http_port"].default)


def _gathered(subject: _Subject, language: Language) -> dict[str, str]:
    hidden = subject.secrets.in_text
    members = {
        "machine.json": hidden(_json(about_machine(subject.data_dir))),
        "packages.txt": packages(),
        "data/store.json": hidden(_json(stores.statistics(subject.data_dir))),
        "data/files.json": hidden(_json(stores.files(subject.data_dir))),
        "data/integrity.json": hidden(_json(stores.integrity(subject.data_dir))),
        "certificates.json": hidden(_json(certificates(subject.certificates))),
    }
    for name in ("healthz", "metrics", "told"):
        suffix = "txt" if name == "metrics" else "json"
        members[f"gateway/{name}.{suffix}"] = hidden(_asked(subject.port, name))
    if subject.root is None:
        text = subject.plant_file.read_text(encoding="utf-8", errors="replace")
        members["plant/plant.yaml"] = unreadable_text(text)
        members["plant/check.txt"] = _lines(unreadable_problem(each, language) for each in subject.problems)
        return members
    shown = PlantText(subject.root, subject.secrets)
    members["plant/plant.yaml"] = shown.text
    outcome = read_plant(subject.plant_file)
    members["plant/check.txt"] = _lines(shown.problem(each, language) for each in outcome.problems)
    if outcome.plant is not None:
        from connectors.factory import describe_source  # noqa: PLC0415  imports what the plant speaks

        lines = [line for name, each in outcome.plant.sources.items() for line in describe_source(name, each)]
        members["plant/plan.txt"] = subject.secrets.in_resolved(_lines(line.text(language) for line in lines))
    return members


def _asked(port: int, name: str) -> str:
    """Return what a running gateway says; why not, when it doesn't."""
    if not port:
        return json.dumps({"not_asked": "http_port is 0: the log names the port"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"http://127.0.0.1:{port}/{name}", timeout=_ANSWER_WITHIN_S
        ) as reply:
            return str(reply.read().decode("utf-8", "replace"))
    except urllib.error.HTTPError as exc:  # not well is an answer too
        with exc:
            return str(exc.read().decode("utf-8", "replace"))
    except (OSError, ValueError) as exc:
        return json.dumps({"no_answer": str(exc)})


def _values(subject: _Subject) -> str:
    from gateway.web.rows import tag_page  # noqa: PLC0415  only when values are asked for
    from gateway.web.view import View  # noqa: PLC0415

    view = View(subject.data_dir, subject.port)
    asyncio.run(view.fresh())
    return tag_page(view, "", "all", 0, _MOST_TAGS).model_dump_json(indent=1)


def _write(out: Path, members: Mapping[str, str]) -> None:
    part = out.with_name(f"{out.name}.part")
    part.unlink(missing_ok=True)
    try:
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(handle, "w+b") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in sorted(members.items()):
                archive.writestr(name, text.encode("utf-8", "replace"))
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n"


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
