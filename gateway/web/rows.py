"""A tag's newest row as a browser gets it."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from connectors import Kind
from connectors.quality import BAD
from connectors.quality import name as quality_name
from gateway.web.models import TagPage, TagRow, Value
from gateway.web.view import View

_EXACT: Final = 2**53
Which = Literal["all", "good", "uncertain", "bad", "waiting"]


def ms(ns: int) -> int | None:
    """Return ms since 1970, None for 0: never."""
    return ns // 1_000_000 if ns else None


def tag_row(view: View, number: int) -> TagRow:
    """Return a tag with its newest row."""
    tag = view.catalogue.tags[number]
    quality, value, time, arrived = newest(view, number)
    return TagRow(
        number=number,
        path=tag.path,
        unit=view.catalogue.unit(number),
        kind=tag.kind.name.lower(),
        counter=tag.counter,
        source=tag.source,
        value=value,
        quality=quality,
        quality_name=in_words(quality),
        time=time,
        arrived=arrived,
    )


def in_words(quality: int | None) -> str:
    """Return the specification's name of a quality; empty before the first row."""
    return "" if quality is None else quality_name(quality)


def newest(view: View, number: int) -> tuple[int | None, Value, int | None, int | None]:
    """Return quality, value, time, arrival of a tag's newest row; None where nothing is known."""
    values = view.values
    if number >= len(values.rows) or not values.rows[number]:
        return None, None, None, None
    quality = int(values.quality[number])
    value = None if quality >= BAD else _value(view, number)
    return quality, value, ms(int(values.time[number])), ms(int(values.arrived[number]))


def _value(view: View, number: int) -> Value:
    values = view.values
    bits = values.value[number : number + 1]
    match view.catalogue.tags[number].kind:
        case Kind.TEXT:
            return values.text_of(number)
        case Kind.INT64 | Kind.UINT64 as kind:
            whole = int(bits[0]) & 0xFFFF_FFFF_FFFF_FFFF if kind is Kind.UINT64 else int(bits[0])
            return whole if abs(whole) <= _EXACT else str(whole)
        case Kind.BOOL:
            return bool(bits.view(np.float64)[0])
        case Kind.INT32:
            return int(bits.view(np.float64)[0])
        case Kind.FLOAT64:
            return float(bits.view(np.float64)[0])


def tag_page(
    view: View, words: str, which: Which, offset: int, limit: int, *, paths: Sequence[str] = ()
) -> TagPage:
    """Return the tags whose path holds every word and whose newest row is so, in the order of the catalogue.

    Of these paths only, in their order, where there are any.
    """
    catalogue = view.catalogue
    if paths:
        wanted = words.lower().split()
        listed = [path for path in dict.fromkeys(paths) if all(word in path.lower() for word in wanted)]
        known = [catalogue.by_path[path] for path in listed if path in catalogue.by_path]
        numbers = np.array(known, np.int32)
    else:
        numbers = catalogue.number[catalogue.search(words)]
    if which != "all":
        numbers = numbers[severity(view, numbers) == _SEVERITY[which]]
    shown = numbers[offset : offset + limit]
    return TagPage(
        total=len(numbers), offset=offset, rows=[tag_row(view, number) for number in shown.tolist()]
    )


_SEVERITY: Final = {"good": 0, "uncertain": 1, "bad": 2, "waiting": 3}


def severity(view: View, numbers: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return 0 good, 1 uncertain, 2 bad, 3 waiting for the first row: (n,) int32 → (n,) uint8."""
    quality = view.of(view.values.quality, numbers)
    found: NDArray[np.uint8] = np.minimum(quality >> np.uint32(30), 2).astype(np.uint8)
    found[view.of(view.values.rows, numbers) == 0] = 3
    return found
