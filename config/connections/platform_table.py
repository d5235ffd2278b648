"""The devices of a platform in a table of their own: ``devices: ${file:devices.csv}``.

A hundred sub-devices with a secret each are a sheet people already have. It may hold secrets, so it is named
in the plant file and never written there.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from config.base import Model, SecretText
from config.sheets import SheetRefused, read_sheet

M = TypeVar("M", bound=Model)
_DEVICE: Final = "device"
_SECRETS: Final = frozenset({"secret"})


def read_table(text: object, row: type[M]) -> object:
    """Return the devices of a table as a mapping; anything but a file's content is returned as it is.

    The first line names the columns: ``device`` (its path) and the fields of an entry, in any order,
    separated by comma, semicolon or tab.
    """
    if not isinstance(text, SecretText):
        return text
    try:
        sheet = read_sheet(text)
        rows = [(each.line, sheet.named(each)) for each in sheet.rows]
    except SheetRefused as exc:
        raise PydanticCustomError("sheet", "sheet", {"reason": exc.phrase}) from None
    wanted = [_DEVICE, *(name for name, field in row.model_fields.items() if field.is_required())]
    unknown = [each for each in sheet.columns if each != _DEVICE and each not in row.model_fields]
    missing = [each for each in wanted if each not in sheet.columns]
    if unknown or missing:
        raise PydanticCustomError(
            "device_columns", "columns", {"columns": ", ".join([_DEVICE, *row.model_fields])}
        )
    found: dict[str, Any] = {}
    for number, cells in rows:
        path, entry = _entry(cells, row, number)
        if path in found:
            raise PydanticCustomError("device_row", "row", {"line": number, "field": _DEVICE})
        found[path] = entry
    return found


def _entry(cells: Mapping[str, str], row: type[M], number: int) -> tuple[str, M]:
    said: dict[str, Any] = {
        name: SecretText(cell) if name in _SECRETS else cell for name, cell in cells.items() if cell
    }
    path = said.pop(_DEVICE, None)
    if path is None:
        raise PydanticCustomError("device_row", "row", {"line": number, "field": _DEVICE})
    try:
        return path, row.model_validate(said)
    except ValidationError as exc:
        field = str(exc.errors(include_input=False)[0]["loc"][0])
        raise PydanticCustomError("device_row", "row", {"line": number, "field": field}) from None
