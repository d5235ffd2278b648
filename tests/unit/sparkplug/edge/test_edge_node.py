"""What an edge node says, and in which order, to a host that follows it by the rules."""

import os
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from connectors import Kind, Tag
from tests.unit.sparkplug.edge.hosted import GONE, LOST, Hosted
from tests.verify.sparkplug import BOOLEAN, DOUBLE, INT64, STRING, UINT64

SCALE = float(os.environ.get("WL_SCALE", "0.1"))


def test_a_birth_says_name_type_unit_and_the_newest_value_of_every_metric() -> None:
    edge = Hosted()
    edge.announce("m/f", "m/unheard")
    edge.announce("m/i", kind=Kind.INT32, unit="C62")
    edge.announce("m/l", kind=Kind.INT64, unit="C62")
    edge.announce("m/u", kind=Kind.UINT64, unit="KWH")
    edge.announce("m/b", kind=Kind.BOOL, unit="C62")
    edge.announce("m/t", kind=Kind.TEXT, unit="C62")
    edge.delivery([
        ("m/f", 1, 1.5, 0), ("m/i", 1, -7.0, 0), ("m/l", 1, -(2**62), 0), ("m/u", 1, -1, 0),
        ("m/b", 1, 1.0, 0), ("m/t", 1, "läuft", 0x40900000),
    ])  # fmt: skip
    edge.be_born()
    (_, node), (device, born) = edge.host.births
    assert [(m.name, m.datatype, m.value) for m in node.values()] == [
        ("bdSeq", INT64, 0),
        ("Properties/Gap", STRING, None),
    ]
    assert device == "m"
    found = {m.name: (m.datatype, m.value) for m in born.values()}
    assert found == {
        "f": (DOUBLE, 1.5), "unheard": (DOUBLE, None), "i": (INT64, -7), "l": (INT64, -(2**62)),
        "u": (UINT64, 2**64 - 1), "b": (BOOLEAN, True), "t": (STRING, "läuft"),
    }  # fmt: skip
    properties = {m.name: m.properties for m in born.values()}
    assert properties["f"] == {"engUnit": "kW"}
    assert properties["u"] == {"engUnit": "kWh"}
    assert properties["t"] == {"Quality": 500, "StatusCode": 0x40900000}
    assert properties["unheard"]["Quality"] == 0
    assert not edge.host.violations


def test_a_device_of_which_nothing_is_known_is_not_born() -> None:
    edge = Hosted()
    edge.announce("m/a", "n/a")
    edge.be_born()
    assert edge.kinds() == [("NBIRTH", "")]
    edge.read(("n/a", 1, 1.0, 0))
    assert edge.kinds() == [("DBIRTH", "n"), ("DDATA", "n")]
    assert not edge.host.violations


def test_a_birth_tells_nothing_of_a_tag_the_sink_does_not_get() -> None:
    edge = Hosted(selects=lambda tags: tags != 1)
    edge.announce("m/a", "m/secret", "n/a")
    edge.delivery([("m/a", 1, 1.0, 0), ("m/secret", 1, 2.0, 0)])
    edge.be_born()
    assert [born.name for born in edge.host.devices["m"].values()] == ["a"]


def test_a_device_that_can_no_longer_be_had_dies_once_and_is_born_again_with_its_first_value() -> None:
    edge = Hosted()
    edge.announce("m/a", "m/b", "n/a")
    edge.be_born()
    edge.read(("m/a", 1, 1.0, 0), ("m/b", 1, 2.0, 0), ("n/a", 1, 3.0, 0))
    edge.kinds()
    edge.read(("m/a", 2, 0.0, GONE))
    assert edge.kinds() == [("DDATA", "m")]  # b is still there
    edge.read(("m/b", 3, 0.0, GONE))
    assert edge.kinds() == [("DDATA", "m"), ("DDEATH", "m")]
    edge.read(("m/a", 4, 0.0, GONE), ("m/b", 4, 0.0, GONE))
    assert edge.kinds() == []
    assert edge.counts.implied == 2
    edge.read(("m/a", 5, 7.0, 0))
    assert edge.kinds() == [("DBIRTH", "m"), ("DDATA", "m")]
    assert edge.host.live("m", "a") == [1.0, None, 7.0]
    assert not edge.host.violations


def test_a_gap_record_says_nothing_of_whether_a_device_can_be_had() -> None:
    edge = Hosted()
    edge.announce("m/a")
    edge.be_born()
    edge.kinds()
    edge.read(("m/a", 1, 0.0, LOST))
    assert edge.kinds() == []
    edge.read(("m/a", 2, 1.0, 0))
    edge.kinds()
    edge.read(("m/a", 3, 0.0, LOST))
    assert edge.kinds() == [("DDATA", "m")]


def test_the_past_of_a_dead_device_is_told_and_the_device_dies_again() -> None:
    edge = Hosted()
    edge.announce("m/a")
    edge.delivery([("m/a", 9, 0.0, GONE)])
    edge.be_born()
    assert edge.kinds() == [("NBIRTH", "")]
    edge.read(("m/a", 1, 1.0, 0), historical=True)
    edge.read(("m/a", 2, 2.0, 0), historical=True)
    assert edge.kinds() == [("DBIRTH", "m"), ("DDATA", "m"), ("DDATA", "m")]
    assert [row.value for row in edge.host.rows if row.historical] == [1.0, 2.0]
    assert [born.value for born in edge.host.devices["m"].values()] == [None]
    edge.wait(9)
    assert edge.kinds() == []
    edge.wait(2)
    assert edge.kinds() == [("DDEATH", "m")]
    assert not edge.host.violations


def test_what_is_older_than_the_value_a_birth_has_told_is_marked_historical() -> None:
    """The newest values are ahead of the cursor: told unmarked, the host would see time go back."""
    edge = Hosted()
    edge.announce("m/a", "m/b")
    waiting = [edge.delivery([("m/a", i, float(i), 0), ("m/b", 5, 5.0, 0)]) for i in range(1, 6)]
    edge.clock.move(0.5)
    edge.be_born()
    for each in waiting:
        edge.tell(each)
    edge.clock.move(0.5)
    edge.read(("m/a", 6, 6.0, 0))
    assert [(row.value, row.historical) for row in edge.host.rows if row.metric == "a"] == [
        (1.0, True), (2.0, True), (3.0, True), (4.0, True), (5.0, False), (6.0, False),
    ]  # fmt: skip
    assert not edge.host.violations


def test_a_device_whose_clock_is_set_back_is_not_history_for_long() -> None:
    edge = Hosted()
    edge.announce("m/a")
    edge.delivery([("m/a", 3_600_000, 1.0, 0)])
    edge.be_born()
    edge.clock.move(0.1)
    edge.read(("m/a", 1, 2.0, 0))
    assert [(row.value, row.historical) for row in edge.host.rows] == [(2.0, False)]


def test_a_tag_that_is_new_is_named_before_its_first_value_and_others_do_not_wait() -> None:
    edge = Hosted()
    edge.announce("m/a", "n/a")
    edge.be_born()
    edge.read(("m/a", 1, 1.0, 0), ("n/a", 1, 1.0, 0))
    edge.announce("m/b")
    edge.kinds()
    before = edge.clock.monotonic()
    edge.read(("n/a", 2, 2.0, 0))
    assert edge.clock.monotonic() == before
    edge.read(("m/b", 3, 3.0, 0))
    assert edge.kinds() == [("DDATA", "n"), ("DBIRTH", "m"), ("DDATA", "m")]
    assert edge.clock.monotonic() - before == 1_000_000_000
    assert not edge.host.violations


def test_a_kind_that_changes_is_another_metric_and_its_backlog_has_a_name_of_its_own() -> None:
    edge = Hosted()
    (old,) = edge.announce("m/a")
    edge.be_born()
    edge.read(("m/a", 1, 1.5, 0))
    waiting = edge.delivery([("m/a", 2, 2.5, 0)], historical=True)
    edge.announce("m/a", kind=Kind.INT64, unit="C62")
    edge.wait(2)
    edge.read(("m/a", 3, 3, 0))
    edge.tell(waiting)
    assert [(row.metric, row.value) for row in edge.host.rows] == [("a", 1.5), ("a", 3), (f"a~{old}", 2.5)]
    assert [born.datatype for born in edge.host.devices["m"].values()] == [DOUBLE, INT64]
    assert not edge.host.violations


def test_a_tag_that_was_thinned_for_the_sink_is_told_by_the_next_birth_of_any_session() -> None:
    """Nobody else knows its newest row: its device would not be born until the next one comes."""
    edge = Hosted()
    edge.tags.announce([Tag("s/a/l/m/a", Kind.FLOAT64, "KWT", "thin", for_sink="scada")])
    edge.be_born()
    edge.tell(edge.delivery([("m/a", 1, 1.5, 0)], known=False))
    edge.be_born()
    assert [born.value for born in edge.host.devices["m"].values()] == [1.5]
    edge.begin(1)
    edge.be_born()
    assert [born.value for born in edge.host.devices["m"].values()] == [1.5]
    assert not edge.host.violations


def test_a_renamed_tag_is_told_under_its_new_name_without_being_read() -> None:
    edge = Hosted()
    edge.announce("m/a")
    edge.be_born()
    edge.read(("m/a", 1, 1.0, 0))
    edge.tags.announce([Tag("s/a/l/m/power", Kind.FLOAT64, "KWT", "src", was="s/a/l/m/a")])
    assert edge.node.next_at() is not None
    edge.wait(2)
    assert [born.name for born in edge.host.devices["m"].values()] == ["power"]


def test_two_devices_that_would_get_one_id_are_told_apart() -> None:
    edge = Hosted(device="x")
    edge.announce("m/a", "n/a")
    edge.be_born()
    edge.read(("m/a", 1, 1.0, 0), ("n/a", 1, 2.0, 0))
    assert {(row.device, row.value) for row in edge.host.rows} == {("x", 1.0), ("x~1", 2.0)}
    assert not edge.host.violations


def test_rows_beyond_a_message_go_into_several_and_one_that_is_too_large_is_refused() -> None:
    edge = Hosted(max_message=300)
    edge.announce(*(f"m/f{i}" for i in range(100)))
    edge.announce("m/t", kind=Kind.TEXT, unit="C62")
    edge.be_born()
    rows: list[tuple[str, int, Any, int]] = [(f"m/f{i}", 1, float(i), 0) for i in range(100)]
    refused = edge.read(*rows, ("m/t", 1, "x" * 300, 0))
    assert refused == [100]
    assert len(edge.kinds()) == 2 + 8
    assert sorted(row.value for row in edge.host.rows) == [float(i) for i in range(100)]
    assert not edge.host.violations


def test_sequence_numbers_wrap_and_a_rebirth_begins_them_anew() -> None:
    edge = Hosted()
    edge.announce("m/a")
    edge.be_born()
    for i in range(600):
        edge.read(("m/a", i, float(i), 0))
    edge.be_born()
    edge.read(("m/a", 601, 601.0, 0))
    assert not edge.host.violations
    assert edge.host.live("m", "a") == [*map(float, range(600)), 601.0]


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order, the host is told everything once and never sees time go back."""

    @initialize()
    def begin(self) -> None:
        self.edge = Hosted()
        self.paths = ["m/a", "m/b", "n/a"]
        self.edge.announce(*self.paths)
        self.ms = 0
        self.pending: list[Any] = []
        self.expected: set[tuple[str, str, int, float]] = set()
        self.implied_may = 0
        self.edge.be_born()

    @rule(which=st.sets(st.integers(0, 2), min_size=1), gone=st.booleans(), late=st.booleans())
    def read(self, which: set[int], gone: bool, late: bool) -> None:
        self.ms += 1
        self.edge.clock.move(0.001)
        quality = GONE if gone else 0
        rows = [(self.paths[i], self.ms, float(self.ms), quality) for i in which if i < len(self.paths)]
        self.pending.append(self.edge.delivery(rows, historical=late))
        if not gone:
            self.expected |= {(*path.split("/"), ms, value) for path, ms, value, _ in rows}  # type: ignore[misc]

    @rule()
    def deliver(self) -> None:
        for each in self.pending:
            self.edge.tell(each)
        self.pending.clear()

    @rule()
    def rebirth(self) -> None:
        self.edge.be_born()

    @rule(seconds=st.sampled_from([0.1, 1.0, 11.0]))
    def wait(self, seconds: float) -> None:
        if seconds < 5 or not self.pending:  # a cursor that far behind would mark its rows
            self.edge.wait(seconds)

    @rule()
    def grow(self) -> None:
        if len(self.paths) < 6:
            self.paths.append(f"n/x{len(self.paths)}")
            self.edge.announce(self.paths[-1])

    @invariant()
    def nothing_is_against_the_rules(self) -> None:
        if hasattr(self, "edge"):
            assert not self.edge.host.violations

    def teardown(self) -> None:
        if hasattr(self, "edge"):
            self.deliver()
            told = {(r.device, r.metric, r.ms - 1_790_000_000_000, r.value) for r in self.edge.host.rows}
            assert self.expected <= told
            assert not self.edge.host.violations


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=max(10, round(200 * SCALE)), stateful_step_count=30)
