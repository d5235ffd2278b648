"""The device library for people: which templates there are, and all that is known about one."""

from typing import Any

from config.base import format_duration
from config.connections import ModbusTag
from config.library import Library, Template
from config.problems import Language, Phrase
from config.vocabulary import tag_names

LIST_COLUMNS = ("name", "maker", "model", "title", "points", "confidence", "source_year")
TAG_COLUMNS = ("tag", "meaning", "address", "type", "order", "scale", "unit", "not_available")


def summaries(library: Library, language: Language) -> list[dict[str, Any]]:
    """Return a row per template, with the keys of `LIST_COLUMNS`; one with mistakes has only its name."""
    rows = []
    for name in library.names():
        reading = library.read(name)
        template = reading.template if reading else None
        if template is None:
            said: tuple[Any, ...] = ("", "", _phrase(language, "cli.devices.broken"), None, None, None)
        else:
            title = getattr(template.title, language)
            about = (template.confidence, template.source_year)
            said = (template.maker, template.model, title, points(template), *about)
        rows.append(dict(zip(LIST_COLUMNS, (name, *said), strict=True)))
    return rows


def cells(row: dict[str, Any], language: Language) -> list[str]:
    """Return a summary as the row of a table."""
    confidence = row["confidence"] and _phrase(language, f"confidence.{row['confidence']}")
    year = row["source_year"] and _known(language, row["source_year"])
    shown = row | {"confidence": confidence, "source_year": year}
    return ["" if shown[column] is None else str(shown[column]) for column in LIST_COLUMNS]


def points(template: Template) -> int:
    """Return how many values a device of this template has."""
    return sum(tag.count for tag in template.tags.values())


def explanation(name: str, template: Template) -> dict[str, Any]:
    """Return everything the template says, for programs; both languages, durations as text."""
    said = template.model_dump(mode="json", exclude={"tags", "tag", "device"})
    meanings = tag_names()
    tags = []
    for tag_name, tag in template.tags.items():
        known = meanings.get(tag_name)
        tags.append(
            {
                "tag": tag_name,
                "meaning": {"zh": known.zh, "en": known.en} if known else None,
                "table": tag.table,
                "address": tag.address,
                "count": tag.count,
                "type": tag.type,
                "order": tag.order,
                "scale": tag.scale,
                "offset": tag.offset,
                "unit": tag.unit.symbol,
                "not_available": tag.not_available,
                "counter": tag.counter,
                "class": tag.class_,
            }
        )
    return {"name": name, "points": points(template), **said, "device": template.options(), "tags": tags}


def facts(template: Template, language: Language) -> list[tuple[str, str]]:
    """Return the lines above the table of tags: key of the title, text."""
    refresh = None if template.refresh is None else format_duration(template.refresh)
    lines = [
        ("maker", template.maker),
        ("model", template.model),
        ("title", getattr(template.title, language)),
        ("points", str(points(template))),
        ("confidence", _phrase(language, f"confidence.{template.confidence}")),
        ("source_year", _known(language, template.source_year)),
        ("side", _phrase(language, f"cli.devices.{template.side}")),
        ("sign", _phrase(language, f"cli.devices.{template.sign}")),
        ("refresh", _known(language, refresh)),
        ("serial", _serial(template, language)),
    ]
    lines += [("sources", source) for source in template.source]
    return lines + [("notes", getattr(note, language)) for note in template.notes]


def tag_rows(template: Template, language: Language) -> list[tuple[str, ...]]:
    """Return a row per tag, as `TAG_COLUMNS`."""
    return [_row(name, tag, language) for name, tag in template.tags.items()]


def _row(name: str, tag: ModbusTag, language: Language) -> tuple[str, ...]:
    known = tag_names().get(name)
    meaning = getattr(known, language) if known else ""
    wide = f" × {tag.count}" if tag.count > 1 else ""
    offset = f" + {tag.offset:g}" if tag.offset else ""
    unit = "" if tag.unit.symbol == "1" else tag.unit.symbol
    absent = "" if tag.not_available is None else f"0x{tag.not_available:0{4 * tag.registers}X}"
    where = f"{tag.table} {tag.address}"
    return (name, meaning, where, tag.type + wide, tag.order, f"{tag.scale:g}{offset}", unit, absent)


def _serial(template: Template, language: Language) -> str:
    serial = template.serial
    if serial is None:
        return _known(language, None)
    said = str(serial)
    if serial.unit_id is not None:
        said = _phrase(language, "cli.devices.with_unit_id", serial=said, unit_id=serial.unit_id)
    return said if serial.confirmed else _phrase(language, "cli.devices.unconfirmed", serial=said)


def _known(language: Language, value: object) -> str:
    return _phrase(language, "cli.devices.unknown") if value in (None, "unknown") else str(value)


def _phrase(language: Language, key: str, **args: object) -> str:
    return Phrase(key, args).text(language)
