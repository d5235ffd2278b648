"""The factor tables for people: which rows there are, and all that is known about one."""

from typing import Any, Final

from config.factor_rows import CoalFactor, Constant, ElectricityFactor, FuelFactor, HeatFactor, Row
from config.factors import Factors, Listed
from config.problems import Language, Phrase

LIST_COLUMNS: Final = ("row", "name", "value", "unit", "valid_from", "confidence", "own")
_SAID_ELSEWHERE: Final = ("zh", "en", "area_zh", "conflicts", "confidence")


def summaries(factors: Factors, language: Language) -> list[dict[str, Any]]:
    """Return a row per factor, with the keys of `LIST_COLUMNS`."""
    return [_summary(each, language) for each in factors.listed()]


def cells(summary: dict[str, Any], language: Language) -> list[str]:
    """Return a summary as the row of a table."""
    confidence = Phrase(f"confidence.{summary['confidence']}").text(language)
    own = Phrase("cli.factors.is_own").text(language) if summary["own"] else ""
    shown = summary | {"confidence": confidence, "own": own}
    return ["" if shown[column] is None else str(shown[column]) for column in LIST_COLUMNS]


def explanation(found: Listed, factors: Factors, language: Language) -> dict[str, Any]:
    """Return everything a row says, its version, and other rows in use for the same thing; for programs."""
    row = found.row
    return {
        "id": row.id,
        "hash": row.hash,
        "is_own": found.is_own,
        "name": name(row, language),
        **row.model_dump(mode="json"),
        "conflicts": conflicts(row, factors),
    }


def facts(found: Listed, factors: Factors, language: Language) -> list[tuple[str, str]]:
    """Return the same as lines for people: key of the title, text; what is empty is left out."""
    row = found.row
    said = {**row.model_dump(mode="json", exclude=set(_SAID_ELSEWHERE)), "hash": row.hash}
    lines = [("name", name(row, language))]
    lines += [(key, str(value)) for key, value in said.items() if value not in (None, "")]
    lines.append(("confidence", Phrase(f"confidence.{row.confidence}").text(language)))
    lines += [("conflicts", each) for each in conflicts(row, factors)]
    if found.is_own:
        lines.append(("own", Phrase("cli.factors.is_own").text(language)))
    return lines


def conflicts(row: Row, factors: Factors) -> list[str]:
    """Return the rows that give another value for the same thing, with the values."""
    others: list[Row] = []
    match row:
        case CoalFactor():
            others = [each for code in row.conflicts.split() if (each := factors.coal(code))]
        case FuelFactor():
            fuels = [each.row for each in factors.listed() if isinstance(each.row, FuelFactor)]
            others = [each for each in fuels if each.code == row.code and _numbers(each) != _numbers(row)]
        case _:
            pass
    return [f"{each.id}: {value(each)[0]} {value(each)[1]}" for each in others if each.id != row.id]


def name(row: Row, language: Language) -> str:
    """Return what people call it."""
    match row:
        case ElectricityFactor():
            calibre = Phrase(f"cli.calibre.{row.calibre}").text(language)
            area = row.area_zh if language == "zh" else row.area
            return f"{area} {row.data_year} {calibre}"
        case FuelFactor() | HeatFactor() | CoalFactor() | Constant():
            return row.zh if language == "zh" else row.en
        case _:
            return row.key


def value(row: Row) -> tuple[str, str]:
    """Return a row's number and its unit; of a fuel the three numbers of its formula."""
    match row:
        case FuelFactor():
            return f"{row.lhv} × {row.carbon} × {row.oxidation}", f"GJ/{row.per} × tC/GJ"
        case CoalFactor():
            return f"{row.kgce}", f"kgce/{row.per}"
        case ElectricityFactor() | HeatFactor() | Constant():
            return f"{row.value}", row.unit
        case _:
            return "", ""


def _numbers(row: FuelFactor) -> tuple[object, ...]:
    return (row.lhv, row.per, row.carbon, row.oxidation)


def _summary(found: Listed, language: Language) -> dict[str, Any]:
    row = found.row
    number, unit = value(row)
    said = (row.id, name(row, language), number, unit, row.valid_from, row.confidence, found.is_own)
    return dict(zip(LIST_COLUMNS, said, strict=True))
