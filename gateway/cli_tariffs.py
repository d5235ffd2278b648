"""`wanglian tariffs`: the tariffs that come along, and where each of their rows comes from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from config.bands import BANDS
from config.base import Text
from config.exact import hours_text
from config.problems import Language, Phrase, default_language, quote
from config.reading.advice import near
from config.tariff_library import read_tariff, shipped_tariff, tariff_names
from config.tariffs import Choice, CustomerClass, Floating, Overlay, Row, Season, Tariff
from gateway.console import AsJson, Lang, fail, print_json, print_table, say

COLUMNS = ("row", "what", "confidence", "source")


def tariffs(
    name: Annotated[
        str | None, typer.Argument(help="Explain this one, or a file. 详细说明，也可以是文件。")
    ] = None,
    *,
    lang: Lang = None,
    as_json: AsJson = False,
) -> None:
    """List the time-of-use tariffs, or explain one. 列出分时电价，或说明其中一个。"""
    language = lang or default_language()
    if name is not None:
        _explain(name, language, as_json=as_json)
        return
    found = {each: shipped_tariff(each).tariff for each in tariff_names()}
    titles = ("name", "title", "instrument", "valid", "confidence")
    rows = [
        dict(zip(titles, _summary(each, tariff, language), strict=True))
        for each, tariff in found.items()
        if tariff
    ]
    if as_json:
        print_json(rows)
        return
    heads = [say(language, f"tariffs.{title}") for title in titles]
    print_table(heads, [([*row.values()], True) for row in rows])


def _summary(name: str, tariff: Tariff, language: Language) -> list[str]:
    days = f"{tariff.valid_from or '?'} … {tariff.valid_to or ''}".strip()
    return [
        name,
        _in(tariff.title, language),
        tariff.instrument,
        days,
        _confidence(tariff.confidence, language),
    ]


def _explain(name: str, language: Language, *, as_json: bool) -> None:
    is_file = name.endswith((".yaml", ".yml"))
    if not is_file and name not in tariff_names():
        fail(say(language, "tariffs.none", name=quote(name), advice=near(name, tariff_names())))
    reading = read_tariff(Path(name), name) if is_file else shipped_tariff(name)
    for problem in reading.problems:
        typer.echo(problem.render(language), err=True)
    if reading.tariff is None:
        raise typer.Exit(2)
    tariff = reading.tariff
    if as_json:
        print_json(tariff.model_dump(mode="json"))
        return
    typer.echo("  ".join(_summary(name, tariff, language)))
    for note in tariff.notes:
        typer.echo(_in(note, language))
    for key, source in tariff.sources.items():
        typer.echo(f"{key}: {source.text}")
    rows = [
        (
            ".".join(map(str, path)),
            "\n".join(_what(row, language)),
            _confidence(row.confidence, language),
            row.source,
        )
        for path, row in tariff.rows()
    ]
    heads = [say(language, f"tariffs.{column}") for column in COLUMNS]
    print_table(heads, [(row, True) for row in rows])


def _what(row: Row, language: Language) -> Iterator[str]:
    """Yield what a row says, and what is open about it."""
    match row:
        case Floating():
            yield ", ".join(row.base) + ("" if row.digits is None else f" ({row.digits})")
        case CustomerClass():
            yield _in(row.title, language)
            yield from (
                f"{_band(band, language)} ×{row.factors[band]}" for band in BANDS if band in row.factors
            )
        case Season():
            yield f"{_in(row.title, language)} {', '.join(map(str, row.months))}"
            for band in BANDS:
                if band in row.hours:
                    yield f"{_band(band, language)} {', '.join(map(hours_text, row.hours[band]))}"
        case Overlay():
            hours = ", ".join(map(hours_text, row.hours))
            price = f"{_band(row.of, language)} ×{row.factor} ({row.applies_to})"
            yield f"{_band(row.band, language)} {hours} = {price}"
            if row.reading is not None:
                yield _in(row.reading, language)
        case Choice():
            yield f"{row.hours}: {_in(row.who, language)}"
        case _:  # the tariff's days
            yield say(language, "tariffs.valid")
    if row.note is not None:
        yield _in(row.note, language)


def _in(text: Text, language: Language) -> str:
    return text.zh if language == "zh" else text.en


def _band(band: str, language: Language) -> str:
    return Phrase(f"band.{band}").text(language)


def _confidence(confidence: str, language: Language) -> str:
    return Phrase(f"confidence.{confidence}").text(language)
