"""What becomes of metrics: names, kinds, units, times, and what comes apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import Kind
from connectors.sparkplug.flatten import DEEPEST, MOST_VALUES
from connectors.sparkplug.payload import Malformed
from gateway.lab import sparkplug_payload as lab
from gateway.lab.sparkplug import EdgeNode, Message
from gateway.lab.sparkplug_payload import DataSet, Metric, Template, payload
from tests.unit.sparkplug.hearing import MS, Hearing

NODE = EdgeNode("plant", "press", {})


def birth(*metrics: Metric) -> Message:
    return NODE.topic("NBIRTH"), payload([Metric(0, lab.INT64, "bdSeq"), *metrics], MS, 0)


def data(*metrics: Metric, seq: int = 1) -> Message:
    return NODE.topic("NDATA"), payload(metrics, MS, seq)


def kinds(heard: Hearing) -> dict[str, str]:
    return {tag.name: tag.kind.name for tag in (heard.table[n] for n in heard.table.active().tolist())}


def test_every_type_has_its_kind() -> None:
    heard = Hearing()
    heard.hear(
        birth(
            *(Metric(5, kind, f"i{kind}") for kind in range(1, 9)),
            Metric(0.5, lab.FLOAT, "f"),
            Metric(0.5, lab.DOUBLE, "d"),
            Metric(value=True, datatype=lab.BOOLEAN, name="b"),
            Metric("x", lab.STRING, "s"),
            Metric(MS, lab.DATETIME, "t"),
            Metric(b"\x01", lab.BYTES, "y"),
        )
    )
    assert kinds(heard) == {
        **dict.fromkeys(("i1", "i2", "i3", "i5", "i6", "i7"), "INT32"),
        "i4": "INT64",
        "i8": "UINT64",
        "f": "FLOAT64",
        "d": "FLOAT64",
        "b": "BOOL",
        "s": "TEXT",
        "t": "INT64",
        "y": "TEXT",
    }


def test_control_metrics_and_the_session_number_are_no_tags() -> None:
    heard = Hearing()
    off = {"value": False, "datatype": lab.BOOLEAN}
    rows = heard.hear(
        birth(Metric(**off, name="Node Control/Rebirth"), Metric(**off, name="Device Control/Reset"))
    )
    assert rows == []
    assert len(heard.table) == 0
    assert heard.hear(data(Metric(**off, name="Node Control/Rebirth"))) == []
    assert heard.wishes == 0, "they are known all the same"


def test_a_template_comes_apart_into_its_members_and_a_definition_is_none() -> None:
    heard = Hearing()
    inner = Template((Metric(4.5, name="Torque"), Metric("run", lab.STRING, "State")))
    motor = Template((Metric(2.5, name="Speed"), Metric(inner, lab.TEMPLATE, "Drive")))
    definition = Template((Metric(0.0, name="Speed"),), reference=None, is_definition=True)
    rows = heard.hear(
        birth(Metric(motor, lab.TEMPLATE, "M1", alias=1), Metric(definition, lab.TEMPLATE, "_types_/Motor"))
    )
    assert rows == [
        ("press/M1.Speed", 2.5, "Good"),
        ("press/M1.Drive.Torque", 4.5, "Good"),
        ("press/M1.Drive.State", "run", "Good"),
    ]
    changed = Template((Metric(3.5, datatype=None, name="Speed"),))
    rows = heard.hear(data(Metric(changed, lab.TEMPLATE, alias=1)))
    assert rows == [("press/M1.Speed", 3.5, "Good")], "what is not said has not changed"


def test_of_an_array_that_became_shorter_the_rest_is_bad_and_a_longer_one_has_new_tags() -> None:
    heard = Hearing()

    def array(*elements: int) -> bytes:
        return lab.packed(lab.INT16_ARRAY, elements)

    rows = heard.hear(birth(Metric(array(5, -6), lab.INT16_ARRAY, "a", alias=1)))
    assert rows == [("press/a_0", 5, "Good"), ("press/a_1", -6, "Good")]
    rows = heard.hear(data(Metric(array(7), lab.INT16_ARRAY, alias=1)))
    assert rows == [("press/a_0", 7, "Good"), ("press/a_1", None, "BadNoData")]
    rows = heard.hear(data(Metric(array(8, 9, 10), lab.INT16_ARRAY, alias=1), seq=2))
    assert rows == [("press/a_0", 8, "Good"), ("press/a_1", 9, "Good"), ("press/a_2", 10, "Good")]


def test_a_data_set_comes_apart_by_column_and_row() -> None:
    heard = Hearing()
    table = DataSet(("kg", "lot"), (lab.DOUBLE, lab.STRING), ((1.5, "a"), (2.5, "b")))
    rows = heard.hear(birth(Metric(table, lab.DATASET, "Batches")))
    assert sorted(rows) == [
        ("press/Batches.kg_0", 1.5, "Good"),
        ("press/Batches.kg_1", 2.5, "Good"),
        ("press/Batches.lot_0", "a", "Good"),
        ("press/Batches.lot_1", "b", "Good"),
    ]


@pytest.mark.fault("G6")
@pytest.mark.parametrize(
    "metric",
    [
        Metric(b"\0" * (MOST_VALUES + 1), lab.UINT8_ARRAY, "x"),
        Metric(DataSet(("c",), (lab.INT32,), ((1,),) * (MOST_VALUES + 1)), lab.DATASET, "x"),
        Metric(DataSet(("c", "d"), (lab.INT32,), ((1,),)), lab.DATASET, "x"),
        Metric(b"x", lab.FILE, "x"),
        Metric(1.0, 99, "x"),
    ],
    ids=["long array", "long data set", "columns without type", "file", "unknown type"],
)
def test_what_cannot_be_kept_yields_nothing(metric: Metric) -> None:
    heard = Hearing()
    assert heard.hear(birth(metric, Metric(1.5, name="y"))) == [("press/y", 1.5, "Good")]
    assert len(heard.table) == 1


@pytest.mark.fault("G6")
def test_templates_in_each_other_end_at_a_depth() -> None:
    inner = Metric(1.5, name="x")
    for _ in range(DEEPEST + 3):
        inner = Metric(Template((inner,)), lab.TEMPLATE, "t")
    assert Hearing().hear(birth(inner)) == []


def test_null_is_bad_and_a_value_of_another_type_is_too() -> None:
    heard = Hearing()
    assert heard.hear(birth(Metric(None, name="x", alias=1))) == [("press/x", None, "BadNoData")]
    assert heard.hear(data(Metric(2.5, datatype=None, alias=1))) == [("press/x", 2.5, "Good")]
    assert heard.hear(data(Metric("2.5", lab.STRING, alias=1), seq=2)) == [
        ("press/x", None, "BadTypeMismatch")
    ]
    assert heard.hear(data(Metric(2, lab.INT32, alias=1), seq=3)) == [("press/x", None, "BadTypeMismatch")]


def test_data_of_another_type_than_the_birth_said_are_bad_although_they_could_be_read() -> None:
    heard = Hearing()
    heard.hear(birth(Metric(5, lab.INT64, "x", alias=1)))
    rows = heard.hear(data(Metric(2**64 - 1, lab.UINT64, alias=1)))
    assert rows == [("press/x", None, "BadTypeMismatch")]


def test_the_unit_is_the_births_unless_the_plant_file_names_one() -> None:
    heard = Hearing(nodes=[{"tags": {"Heat/*": {"unit": "K"}, "**": {}}}])
    named = (("engUnit", lab.STRING, "kW"),)
    heard.hear(
        birth(
            Metric(1.5, name="power", properties=named),
            Metric(1.5, name="Heat/in", properties=named),
            Metric(1.5, name="odd", properties=(("engUnit", lab.STRING, "furlong"),)),
        )
    )
    units = {tag.name: tag.unit for tag in map(heard.table.__getitem__, heard.table.active().tolist())}
    assert units == {"power": "KWT", "Heat.in": "KEL", "odd": "C62"}


def test_a_unit_that_changes_makes_another_tag() -> None:
    heard = Hearing()
    for unit in ("kW", "W"):
        heard.hear(birth(Metric(1.5, name="power", properties=(("engUnit", lab.STRING, unit),))))
    assert [heard.table[n].unit for n in range(2)] == ["KWT", "WTT"]
    assert heard.table.active().tolist() == [1]


def test_the_property_quality_is_kept() -> None:
    heard = Hearing()
    heard.hear(birth(Metric(1.5, name="x", alias=1)))
    stale = (("Quality", lab.INT32, 500),)
    assert heard.hear(data(Metric(2.5, alias=1, properties=stale))) == [
        ("press/x", 2.5, "UncertainLastUsableValue")
    ]
    bad = (("Quality", lab.INT32, 0),)
    assert heard.hear(data(Metric(2.5, alias=1, properties=bad), seq=2)) == [("press/x", None, "Bad")]


@pytest.mark.parametrize(
    ("own", "time"),
    [(MS - 5, MS - 5), (None, MS), (2**64 - 1, None)],
    ids=["of the metric", "of the message", "beyond any time"],
)
def test_a_values_time_is_its_own_then_its_messages(own: int | None, time: int | None) -> None:
    heard = Hearing()
    heard.hear(birth(Metric(1.5, name="x", alias=1)))
    heard.hear_only(data(Metric(2.5, alias=1, timestamp=own)))
    (part,) = heard.readings.live.batch(0, 0).parts  # type: ignore[arg-type]
    assert part.time.tolist() == [heard.arrival if time is None else time * 1_000_000]
    assert heard.rows()[0][2] == ("BadInvalidTimestamp" if time is None else "Good")


def test_what_a_node_had_kept_goes_into_rows_of_its_own() -> None:
    heard = Hearing()
    heard.hear(birth(Metric(1.5, name="x", alias=1)))
    rows = heard.hear(data(Metric(2.5, alias=1, is_historical=True), Metric(3.5, alias=1)))
    assert rows == [("press/x", 3.5, "Good")]
    assert heard.rows(history=True) == [("press/x", 2.5, "Good")]
    assert heard.counts.historical == 1


def test_an_integer_of_64_bits_that_is_scaled_is_a_float_and_bad_where_that_is_not_exact() -> None:
    heard = Hearing(nodes=[{"tags": {"**": {"unit": "Wh", "scale": 10}}}])
    rows = heard.hear(
        birth(
            Metric(2**53, lab.INT64, "a"),
            Metric(2**53 + 1, lab.INT64, "b"),
            Metric(2**64 - 1, lab.UINT64, "c"),
        )
    )
    assert rows == [
        ("press/a", 2.0**53, "Good"),
        ("press/b", None, "BadOutOfRange"),
        ("press/c", None, "BadOutOfRange"),
    ]
    assert {Kind(heard.table.kind[n]) for n in range(3)} == {Kind.FLOAT64}


@pytest.mark.fault("G6")
def test_two_metrics_that_would_be_one_tag_are_not_mixed(record_measure) -> None:
    heard = Hearing()
    rows = heard.hear(birth(Metric(1.5, name="a b"), Metric(2.5, name="a_b"), Metric(3.5, name="a/b")))
    assert rows == [("press/a_b", 1.5, "Good"), ("press/a.b", 3.5, "Good")]
    again = Hearing(table=heard.table, owners=heard.owners)
    assert again.hear(birth(Metric(2.5, name="a_b"))) == [], "in the next session neither"
    assert heard.counts.clashing == again.counts.clashing == 1
    record_measure("the second name is refused and counted")


def test_an_alias_two_metrics_share_names_neither() -> None:
    heard = Hearing()
    rows = heard.hear(birth(Metric(1.5, name="a", alias=1), Metric(2.5, name="b", alias=1)))
    assert len(rows) == 2
    assert heard.hear(data(Metric(9.5, alias=1))) == []
    assert heard.counts.unknown_aliases == 1


def test_a_metric_said_twice_in_one_birth_is_one_tag() -> None:
    heard = Hearing()
    assert len(heard.hear(birth(Metric(1.5, name="a"), Metric(2.5, name="a")))) == 2
    assert len(heard.table) == 1


@pytest.mark.fault("G6")
def test_a_birth_without_end_makes_no_more_tags_than_allowed(record_measure) -> None:
    heard = Hearing(max_tags=100)
    rows = heard.hear(birth(*(Metric(1.5, name=f"m{i}") for i in range(1000))))
    assert len(rows) == 100
    assert heard.counts.over_limit == 900
    record_measure("1,000 metrics: 100 tags, the rest counted")


def test_only_what_an_entry_wants_is_taken() -> None:
    heard = Hearing(nodes=[{"device": "m1", "at": "hall/{node}", "tags": {"Motor/*": {}}}])
    node = EdgeNode(
        "plant", "press", {"x": 1.5}, devices={"m1": {"Motor/a": 1.5, "b": 1.5}, "m2": {"Motor/a": 1.5}}
    )
    heard.hear(*node.births(MS))
    assert [heard.table[n].path for n in heard.table.active().tolist()] == ["s/hall/press/m1/Motor.a"]
    heard.hear(node.device_data("m2", {"Motor/a": 2.5}, MS), node.device_data("m1", {"b": 2.5}, MS))
    assert (heard.wishes, heard.counts.unknown_aliases, heard.counts.before_birth) == (0, 0, 0)


def test_tags_of_an_earlier_run_are_announced_as_long_as_an_entry_wants_them() -> None:
    first = Hearing()
    first.hear(birth(Metric(1.5, name="x")))
    assert len(Hearing(table=first.table).table.active()) == 1
    assert len(Hearing(table=first.table, nodes=[{"node": "other"}]).table.active()) == 0


RICH = EdgeNode(
    "plant",
    "press",
    {
        "power": 1.5,
        "on": True,
        "text": "网联",
        "count": 2**62,
        "bytes": b"12",
        "drive": Template(
            (Metric(1.5, name="x"), Metric(Template((Metric(2.5, name="y"),)), lab.TEMPLATE, "z"))
        ),
        "table": DataSet(("u", "v"), (lab.INT32, lab.STRING), ((1, "x"), (-2, "y"))),
    },
)
BIRTH = RICH.birth(MS)
DATA = RICH.data(dict(RICH.metrics), MS)


@pytest.mark.fault("G1")
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 400), st.integers(0, 255), st.sampled_from("setdelinsert")),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_bytes_of_a_message_change_it_is_read_or_malformed(
    changes: list[tuple[bool, int, int, str]],
) -> None:
    """What is read is a finite number, an integer of 64 bits or text."""
    said = {False: bytearray(BIRTH[1]), True: bytearray(DATA[1])}
    for of_data, at, octet, how in changes:
        data = said[of_data]
        place = at % len(data)
        if how in "set":
            data[place] = octet
        elif how in "del" and len(data) > 1:
            del data[place]
        else:
            data.insert(place, octet)
    heard = Hearing()
    for topic, data in ((BIRTH[0], said[False]), (DATA[0], said[True]), (DATA[0], said[True])):
        try:
            heard.hear_only((topic, bytes(data)))
        except Malformed:
            continue
    heard.wait(30)
    batch = heard.readings.history.batch(0, 0), heard.readings.live.batch(0, 0)  # type: ignore[arg-type]
    for part in (part for each in batch for part in each.parts):
        assert (part.value.dtype == object) or np.isfinite(part.value).all()


NAMES = st.text(max_size=80)


@given(st.lists(NAMES, max_size=8), NAMES, NAMES)
def test_any_names_make_tags_or_are_counted(names: list[str], group: str, node: str) -> None:
    heard = Hearing()
    heard.node.id = (group, node)
    rows = heard.hear(birth(*(Metric(1.5, name=name) for name in names)))
    assert len(rows) <= len(names)
    assert len({heard.table[n].path for n in heard.table.active().tolist()}) == len(heard.table.active())
