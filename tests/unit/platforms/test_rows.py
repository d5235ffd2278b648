"""What a platform is told of rows: kinds, names of their own, what is left out."""

import json
import re
from typing import Any

import numpy as np
import pytest

from connectors import Batch, Columns, Context, Delivery, Kind, Tag, TagTable
from connectors.mqtt.form import Form, Limit
from connectors.mqtt.forms.build import build_form
from connectors.mqtt.forms.units import CHANGED
from tests.conftest import FakeClock
from tests.unit.platforms.plant import EPOCH, T0, options, path


def thingsboard(tags: TagTable, **more: Any) -> Form:
    form = build_form(options("thingsboard", 1, **more), Context("g", tags, FakeClock()), "cz")
    list(form.begin(Limit(lambda _: 1 << 20)))
    return form


def aliyun(tags: TagTable, **more: Any) -> Form:
    form = build_form(options("aliyun", 1, meters=["m1"], **more), Context("g", tags, FakeClock()), "cz")
    list(form.begin(Limit(lambda _: 1 << 20)))
    return form


def delivery(tags: list[int], values: list[Any], dtype: Any = np.float64) -> Delivery:
    n = len(tags)
    part = Columns(
        np.array(tags, np.int32), np.full(n, T0 + 999_999), np.array(values, dtype), np.zeros(n, np.uint32)
    )
    return Delivery(Batch((part,), T0), EPOCH, 1)


def table(names: dict[str, Kind], device: str = path("m1")) -> TagTable:
    tags = TagTable()
    tags.announce([Tag(f"{device}/{name}", kind, "C62", "s") for name, kind in names.items()])
    return tags


@pytest.mark.parametrize(
    ("kind", "dtype", "value", "text"),
    [
        (Kind.FLOAT64, np.float64, 10.0, "10.0"),
        (Kind.FLOAT64, np.float64, 0.1, "0.1"),
        (Kind.FLOAT64, np.float64, 5e-324, "5e-324"),
        (Kind.INT32, np.float64, 4294967295.0, "4294967295"),
        (Kind.INT32, np.float64, -2147483648.0, "-2147483648"),
        (Kind.INT64, np.int64, -(2**63), "-9223372036854775808"),
        (Kind.UINT64, np.int64, -1, "18446744073709551615"),
        (Kind.BOOL, np.float64, 1.0, "true"),
        (Kind.BOOL, np.float64, 0.0, "false"),
        (Kind.TEXT, object, 'a"\n停', '"a\\"\\n停"'),
    ],
)
def test_values_are_written_as_their_kind(kind: Kind, dtype: Any, value: Any, text: str) -> None:
    form = thingsboard(table({"x": kind}))
    _, message = form.messages(delivery([0], [value], dtype))
    assert f'"x":{text}'.encode() in message.payload
    json.loads(message.payload)


def test_a_device_may_have_a_service_of_its_own() -> None:
    said = options("huawei_iotda", 1, meters=["m1"])
    device = said.format.devices[path("m1")].model_copy(update={"service": "pump"})
    of_form = said.format.model_copy(update={"devices": {path("m1"): device}})
    tags = table({"x": Kind.FLOAT64})
    form = build_form(said.model_copy(update={"format": of_form}), Context("g", tags, FakeClock()), "cz")
    list(form.begin(Limit(lambda _: 1 << 20)))
    (message,) = form.messages(delivery([0], [1.0]))
    (service,) = json.loads(message.payload)["devices"][0]["services"]
    assert service == {
        "service_id": "pump",
        "properties": {"x": 1.0},
        "event_time": "2025-11-24T16:00:00.000Z",
    }


def test_a_time_is_the_millisecond_it_lies_in() -> None:
    form = thingsboard(table({"x": Kind.FLOAT64}))
    _, message = form.messages(delivery([0], [1.0]))
    assert f'"ts":{T0 // 1_000_000},'.encode() in message.payload


@pytest.mark.fault("D8")
def test_d8_a_number_that_is_none_is_left_out(record_measure) -> None:
    form = thingsboard(table({"x": Kind.FLOAT64, "y": Kind.FLOAT64}))
    assert list(form.messages(delivery([0, 1], [np.nan, np.inf]))) == []
    assert form.statistics()["left_out"] == 2
    record_measure("ThingsBoard: NaN and infinity left out and counted")


def test_two_tags_that_come_to_one_name_at_run_time_are_not_mixed() -> None:
    tags = table({"I.1": Kind.FLOAT64})
    form = aliyun(tags)
    assert [m.refusal for m in form.messages(delivery([0], [1.0]))] == [""]
    tags.announce([Tag(f"{path('m1')}/{name}", Kind.FLOAT64, "C62", "t") for name in ("I-1", "u")])
    refused, sent = form.messages(delivery([0, 1, 2], [1.0, 2.0, 3.0]))
    assert "tag I-1 of cz/press/line1/m1 has no name of its own" in refused.refusal
    assert refused.rows is not None
    assert refused.rows.tolist() == [1]
    said = json.loads(sent.payload)["params"]["subDevices"][0]["properties"]
    assert {name: each["value"] for name, each in said.items()} == {"I_1": 1.0, "u": 3.0}


def test_a_tag_that_is_gone_does_not_keep_its_name_from_another() -> None:
    tags = table({"I.1": Kind.FLOAT64})
    form = aliyun(tags)
    tags.announce([Tag(f"{path('m1')}/I-1", Kind.FLOAT64, "C62", "s")])
    tags.keep_only("s", np.array([1], np.int32))
    (sent,) = form.messages(delivery([1], [2.0]))
    assert b'"I_1"' in sent.payload


def test_a_new_tag_may_take_the_name_of_one_that_was_renamed() -> None:
    tags = table({"I": Kind.FLOAT64})
    form = aliyun(tags)
    list(form.messages(delivery([0], [1.0])))
    tags.announce([Tag(f"{path('m1')}/old", Kind.FLOAT64, "C62", "s", was=f"{path('m1')}/I")])
    tags.announce([Tag(f"{path('m1')}/I", Kind.FLOAT64, "C62", "t")])
    assert [each.refusal for each in form.messages(delivery([0, 1], [1.0, 2.0]))] == [""]


def test_a_row_in_a_unit_its_tag_no_longer_has_is_refused_and_the_tag_keeps_its_name() -> None:
    """No platform is told a unit: 1.0 MWh would be read as 1.0 kWh."""
    for platform in (thingsboard, aliyun):
        tags = table({"E-1": Kind.FLOAT64, "P": Kind.FLOAT64})
        form = platform(tags)
        tags.announce([Tag(f"{path('m1')}/E-1", Kind.FLOAT64, "KWH", "s")])
        refused, *_, sent = form.messages(delivery([0, 1, 2], [1.0, 2.0, 3.0]))
        assert (refused.rows.tolist(), refused.refusal) == ([0], CHANGED)
        assert sent.rows is not None
        assert sent.rows.tolist() == [1, 2]
        assert {b"E_1", b"E-1"} & set(re.findall(rb"E.1", sent.payload))


def test_thingsboard_may_refuse_before_it_has_ever_sent_anything() -> None:
    tags = table({"a": Kind.FLOAT64, "b": Kind.FLOAT64})
    form = thingsboard(tags, names={"a": "b"})
    (refused,) = form.messages(delivery([1], [2.0]))
    assert "tag b of cz/press/line1/m1 has no name of its own" in refused.refusal


def test_a_tag_without_a_legal_name_is_refused_and_told() -> None:
    form = aliyun(table({"电压": Kind.FLOAT64, "u": Kind.FLOAT64}))
    refused, sent = form.messages(delivery([0, 1], [1.0, 2.0]))
    assert "电压" in refused.refusal
    assert sent.rows is not None
    assert sent.rows.tolist() == [1]
    form = aliyun(table({"电压": Kind.FLOAT64, "u": Kind.FLOAT64}), names={"电压": "Ua"})
    (sent,) = form.messages(delivery([0, 1], [1.0, 2.0]))
    assert b'"Ua":{"value":1.0' in sent.payload


def test_a_device_without_an_entry_is_refused_the_gateways_own_is_left_out() -> None:
    form = aliyun(table({"x": Kind.FLOAT64}, device=path("m9")))
    (refused,) = form.messages(delivery([0], [1.0]))
    assert refused.refusal == "cz/press/line1/m9 has no entry under `devices`"
    form = aliyun(table({"alarm": Kind.BOOL}, device="cz/_energy/demand/main"))
    assert list(form.messages(delivery([0], [1.0]))) == []
    assert form.statistics()["left_out"] == 1


@pytest.mark.parametrize("platform", ["huawei_iotda", "aliyun", "onenet"])
def test_an_alarm_is_told_where_its_log_is_a_device_with_a_name_for_its_event(platform: str) -> None:
    tags = table({"event": Kind.TEXT}, device="cz/_alarms/gateway/log")
    said = options(platform, 1, meters=["m1"], names={"event": "alarm_event"})
    devices = {"cz/_alarms/gateway/log": said.format.devices[path("m1")]}
    of_form = said.format.model_copy(update={"devices": devices})
    form = build_form(said.model_copy(update={"format": of_form}), Context("g", tags, FakeClock()), "cz")
    list(form.begin(Limit(lambda _: 1 << 20)))
    (message,) = form.messages(delivery([0], ['{"what":"began"}'], object))
    assert message.refusal == ""
    assert b'"alarm_event":' in message.payload
    assert json.dumps('{"what":"began"}').encode() in message.payload
