import numpy as np
import pytest

from connectors import Kind, Tag, TagTable
from gateway.buffer.codec import tag_from_json, tag_to_json


def tag(name: str = "p", kind: Kind = Kind.FLOAT64, unit: str = "KWT", **options: object) -> Tag:
    return Tag(f"s/a/l/d/{name}", kind, unit, str(options.pop("source", "src")), **options)  # type: ignore[arg-type]


class Kept:
    """A catalogue that remembers what was persisted."""

    def __init__(self) -> None:
        self.rows: dict[int, Tag] = {}
        self.calls = 0

    def __call__(self, changed) -> None:
        self.calls += 1
        self.rows.update(changed)

    def reopened(self) -> TagTable:
        return TagTable(sorted(self.rows.items()), self)


def test_numbers_are_given_once_and_kept_over_restarts() -> None:
    kept = Kept()
    first = kept.reopened().announce([tag("a"), tag("b")]).tolist()
    again = kept.reopened().announce([tag("b"), tag("c"), tag("a")]).tolist()
    assert first == [0, 1]
    assert again == [1, 2, 0]


def test_the_tags_of_many_devices_are_persisted_in_one_go() -> None:
    kept = Kept()
    numbers = kept.reopened().announce_each([[tag("a"), tag("b")], [], [tag("c")]])
    assert [each.tolist() for each in numbers] == [[0, 1], [], [2]]
    assert kept.calls == 1
    assert kept.reopened().announce_each([]) == []


def test_new_tags_are_persisted_before_announce_returns_and_known_ones_are_not_again() -> None:
    kept = Kept()
    tags = kept.reopened()
    tags.announce([tag("a")])
    assert kept.rows[0].path == "s/a/l/d/a"
    tags.announce([tag("a")])
    assert kept.calls == 1


def test_tags_read_back_from_the_catalogue_are_not_persisted_again() -> None:
    kept = Kept()
    kept.reopened().announce([tag("a"), tag("b", low=0.0)])
    kept.rows = {number: tag_from_json(tag_to_json(each)) for number, each in kept.rows.items()}
    tags = kept.reopened()
    tags.announce([tag("a"), tag("b", low=0.0)])
    assert kept.calls == 1


def test_a_change_of_kind_or_unit_is_a_new_number_and_the_old_one_keeps_its_metadata() -> None:
    kept = Kept()
    tags = kept.reopened()
    (old,) = tags.announce([tag(unit="KWT")]).tolist()
    (new,) = tags.announce([tag(unit="WTT")]).tolist()
    (other,) = tags.announce([tag(unit="WTT", kind=Kind.INT32)]).tolist()
    assert len({old, new, other}) == 3
    assert tags[old].unit == "KWT"
    assert tags.number("s/a/l/d/p") == other
    assert tags.active().tolist() == [other]
    assert kept.reopened()[old].unit == "KWT"


def test_going_back_to_an_earlier_unit_finds_its_old_number_again() -> None:
    kept = Kept()
    numbers = [int(kept.reopened().announce([tag(unit=unit)])[0]) for unit in ("KWT", "WTT", "KWT")]
    assert numbers == [0, 1, 0]
    tags = kept.reopened()
    tags.announce([tag(unit="KWT")])
    assert tags.number("s/a/l/d/p") == 0
    assert tags.active().tolist() == [0]


def test_a_rename_keeps_the_number_under_the_new_path() -> None:
    kept = Kept()
    (old,) = kept.reopened().announce([tag("old")]).tolist()
    tags = kept.reopened()
    (new,) = tags.announce([tag("new", was="s/a/l/d/old")]).tolist()
    assert new == old
    assert tags[new].path == "s/a/l/d/new"
    assert tags.number("s/a/l/d/old") is None
    assert kept.reopened().announce([tag("new", was="s/a/l/d/old")]).tolist() == [old]


def test_a_rename_of_what_never_was_is_a_new_tag() -> None:
    assert TagTable().announce([tag("new", was="s/a/l/d/never")]).tolist() == [0]


def test_a_changed_scale_is_the_same_tag() -> None:
    kept = Kept()
    tags = kept.reopened()
    tags.announce([tag(scale=1.0)])
    version = tags.version
    assert tags.announce([tag(scale=0.1)]).tolist() == [0]
    assert tags.scale[0] == 0.1
    assert tags.version > version
    assert kept.rows[0].scale == 0.1


def test_retired_tags_leave_the_catalogue_but_not_the_table() -> None:
    tags = TagTable()
    tags.announce([tag("a"), tag("b"), tag("x", source="other")])
    tags.keep_only("src", np.array([1], np.int32))
    assert tags.active().tolist() == [1, 2]
    assert tags.of_source("src").tolist() == [1]
    assert tags[0].path == "s/a/l/d/a"
    tags.announce([tag("a")])
    assert tags.of_source("src").tolist() == [0, 1]


def test_tags_known_from_an_earlier_run_are_not_active_until_announced() -> None:
    kept = Kept()
    kept.reopened().announce([tag("a")])
    assert kept.reopened().active().tolist() == []


def test_columns_grow_and_keep_what_they_held() -> None:
    tags = TagTable()
    tags.announce([tag(f"t{i}", scale=float(i)) for i in range(5)])
    numbers = tags.announce([tag(f"u{i}", scale=7.0) for i in range(1000)])
    assert tags.scale[:5].tolist() == [0, 1, 2, 3, 4]
    assert (tags.scale[numbers] == 7.0).all()
    assert np.isnan(tags.low[numbers]).all()


def test_devices_are_numbered_by_path() -> None:
    tags = TagTable()
    numbers = tags.announce([tag("a"), Tag("s/a/l/e/a", Kind.TEXT, "C62", "src"), tag("b")])
    devices = tags.device[numbers].tolist()
    assert devices[0] == devices[2] != devices[1]
    assert tags.device_path(devices[1]) == "s/a/l/e"


def test_one_tag_announced_twice_at_once_is_a_mistake_that_is_named() -> None:
    with pytest.raises(ValueError, match="s/a/l/d/a"):
        TagTable().announce([tag("a"), tag("a")])


def test_a_number_never_given_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        TagTable()[0]
