from dataclasses import replace

import numpy as np
import pytest

from config.glob import glob_pattern
from config.select import SelectRule
from connectors import Batch, Columns, Delivery, Epoch, Kind, Tag, TagTable
from gateway.select import Rules, Selection

PATHS = [
    "cz/press/line_1/m1/power",
    "cz/press/line_1/m1/energy",
    "cz/press/line_2/m2/power",
    "cz/oven/line_1/m1/power",
]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("**", [0, 1, 2, 3]),
        ("cz/press/**", [0, 1, 2]),
        ("**/power", [0, 2, 3]),
        ("cz/*/line_1/m1/power", [0, 3]),
        ("cz/*/power", []),
        ("*", []),
        ("**/m?/energy", [1]),
        ("cz/press/line_1/m1/power", [0]),
        ("**/m1/**", [0, 1, 3]),
    ],
)
def test_globs_stay_within_a_level_or_span_them(glob: str, expected: list[int]) -> None:
    pattern = glob_pattern(glob)
    assert [i for i, path in enumerate(PATHS) if pattern.fullmatch(path)] == expected


def set_up(*rules: SelectRule) -> tuple[Selection, TagTable]:
    tags = TagTable()
    tags.announce([Tag(path, Kind.FLOAT64, "KWT", "src", tag_class=path.rsplit("/", 1)[1]) for path in PATHS])
    return Selection(Rules("cloud", rules, tags)), tags


def delivery(numbers: list[int], rows: list[int] | None = None) -> Delivery:
    tag = np.array(numbers, np.int32)
    n = len(tag)
    part = Columns(tag, np.full(n, 5, np.int64), tag.astype(np.float64), np.zeros(n, np.uint32))
    given = None if rows is None else (np.array(rows, np.int32),)
    return Delivery(Batch((part,), 5), Epoch(1, 2), 9, rows=given)


def test_a_delivery_that_is_wanted_whole_is_not_copied() -> None:
    select, _ = set_up(SelectRule())
    whole = delivery([0, 1, 2, 3])
    assert select(whole) is whole


def test_rows_left_keep_their_stored_numbers() -> None:
    select, _ = set_up(SelectRule(path="cz/press/**"))
    cut = select(delivery([3, 0, 3, 2]))
    assert cut is not None
    assert cut.rows is not None
    assert cut.rows[0].tolist() == [1, 3]
    assert cut.batch.parts[0].tag.tolist() == [0, 2]
    again = select(cut)
    assert again is cut


def test_nothing_wanted_is_none() -> None:
    select, _ = set_up(SelectRule(path="cz/oven/**"))
    assert select(delivery([0, 1])) is None


def test_a_class_narrows_a_path() -> None:
    select, _ = set_up(SelectRule(path="cz/**", **{"class": "energy"}))
    cut = select(delivery([0, 1, 2, 3]))
    assert cut is not None
    assert cut.batch.parts[0].tag.tolist() == [1]


def test_the_first_rule_that_matches_decides() -> None:
    thinned = SelectRule(path="**/power", every="60s", **{"as": "last"})
    select, _ = set_up(thinned, SelectRule())
    cut = select(delivery([0, 1]))
    assert cut is not None
    assert cut.batch.parts[0].tag.tolist() == [1]


def test_a_tag_announced_later_is_selected_too() -> None:
    select, tags = set_up(SelectRule(path="cz/press/**"))
    select(delivery([0]))
    (late,) = tags.announce([Tag("cz/press/line_1/m1/late", Kind.FLOAT64, "KWT", "src")]).tolist()
    assert select(delivery([late])) is not None


def test_a_tag_that_is_renamed_or_gets_another_class_while_the_gateway_runs_is_judged_anew() -> None:
    select, tags = set_up(SelectRule(path="cz/press/**"), SelectRule(path="**", **{"class": "energy"}))
    assert select(delivery([3])) is None
    tags.announce([Tag("cz/press/line_9/m1/power", Kind.FLOAT64, "KWT", "src", was=PATHS[3])])
    assert select(delivery([3])) is not None
    tags.announce([Tag("cz/oven/line_1/m1/power", Kind.FLOAT64, "KWT", "src", was=tags[3].path)])
    assert select(delivery([3])) is None
    tags.announce([replace(tags[3], tag_class="energy")])
    assert select(delivery([3])) is not None


def test_who_gets_all_there_is_gets_no_more_than_its_own_of_what_is_new() -> None:
    select, tags = set_up(SelectRule(path="cz/**"))
    assert select(delivery([0, 3])) is not None
    tags.announce([Tag("bj/oven/line_1/m1/power", Kind.FLOAT64, "KWT", "src")])
    chosen = select(delivery([3, 4]))
    assert chosen is not None
    assert chosen.batch.parts[0].tag.tolist() == [3]


def test_numbers_nobody_uses_are_nobodys() -> None:
    """A catalogue made anew from the log's files has holes."""
    tags = TagTable([(3, Tag(PATHS[0], Kind.FLOAT64, "KWT", "src"))])
    select = Selection(Rules("cloud", [SelectRule(path="**/power")], tags))
    assert select(delivery([3])) is not None


def test_rows_thinned_for_one_sink_go_to_no_other() -> None:
    tags = TagTable()
    tags.announce([Tag("a/b/c/d/p@mean_1min", Kind.FLOAT64, "KWT", "thin/cloud", for_sink="cloud")])
    mine = Selection(Rules("cloud", [SelectRule(path="x/**")], tags))
    other = Selection(Rules("other", [SelectRule()], tags))
    assert mine(delivery([0])) is not None
    assert other(delivery([0])) is None
