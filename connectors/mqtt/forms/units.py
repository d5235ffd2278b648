"""Whether a row's unit is what people take it to be: an old backlog was taken in another."""

from typing import Final

from connectors.tags import TagTable

CHANGED: Final = "the tag's unit has changed since, and this form does not say a value's unit"


def has_changed(tags: TagTable, number: int) -> bool:
    """Tell whether the tag of this path is another now, with another unit."""
    tag = tags[number]
    current = tags.number(tag.path)
    return current is not None and tags.is_active(current) and tags[current].unit != tag.unit
