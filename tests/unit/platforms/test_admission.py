"""How sub-devices are let in, and what a reply means, without any platform: bytes in, messages out."""

import contextlib
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.base import Secret
from connectors import Context, NotConnected
from connectors.mqtt.form import Form, Heard, Limit, Message
from connectors.mqtt.forms.build import build_form
from tests.conftest import FakeClock
from tests.unit.platforms.plant import delivery, options, path, table

MANY = [f"m{i}" for i in range(70)]


def begun(platform: str, clock: FakeClock, meters: Sequence[str], **more: Any) -> tuple[Form, list[Message]]:
    context = Context("g", table(meters), clock)
    form = build_form(options(platform, 1, meters=meters, **more), context, "cz")
    form.sign_in(clock.now())
    return form, [each for each in form.begin(Limit(lambda _: 1 << 20)) if each is not None]


def reply(form: Form, message: Message, code: int, text: str = "", data: Any = None) -> Heard:
    said = {"id": message.reply, "code": code, "message": text, "msg": text, "data": data or {}}
    return form.heard("any", json.dumps(said).encode())


def devices_of(message: Message) -> list[str]:
    said = json.loads(message.payload)
    params = said["params"]
    listed = params if isinstance(params, list) else params["deviceList"]
    return [each["deviceName"] for each in listed]


def refused_rows(form: Form, seq: int = 1) -> list[str]:
    return [m.refusal for m in form.messages(delivery(seq)) if m.refusal]


def test_aliyun_adds_thirty_and_logs_fifty_in_at_a_time(clock: FakeClock) -> None:
    form, first = begun("aliyun", clock, MANY, topology="add")
    assert [len(devices_of(each)) for each in first] == [30, 30, 10]
    assert all(each.topic == "/sys/gwpk/gw1/thing/topo/add" and each.qos == 1 for each in first)
    second = [message for each in first for message in reply(form, each, 200).send]
    assert [len(devices_of(each)) for each in second] == [30, 30, 10]
    _, logins = begun("aliyun", clock, MANY)
    assert [len(devices_of(each)) for each in logins] == [50, 20]
    assert all(each.qos == 0 for each in logins)
    assert all(each.topic == "/ext/session/gwpk/gw1/combine/batch_login" for each in logins)


def test_aliyun_asks_for_each_alone_when_a_batch_is_refused(clock: FakeClock) -> None:
    form, (login,) = begun("aliyun", clock, ["m1", "m2", "m3"])
    heard = reply(form, login, 6401, "topo relation not exist")
    assert [each.reply for each in heard.answers] == [login.reply]
    assert [devices_of(each) for each in heard.send] == [["m1"], ["m2"], ["m3"]]
    reply(form, heard.send[0], 200)
    reply(form, heard.send[1], 6401, "topo relation not exist")
    reply(form, heard.send[2], 200)
    (refusal,) = refused_rows(form)
    assert refusal == f"aliyun does not take {path('m2')}: 6401 topo relation not exist"
    assert form.statistics()["devices_refused"] == 1


@pytest.mark.parametrize(("platform", "code"), [("aliyun", 6401), ("onenet", 307)])
def test_a_platform_that_takes_no_device_at_all_calls_a_person(
    platform: str, code: int, clock: FakeClock
) -> None:
    form, asked = begun(platform, clock, ["m1", "m2"])
    with pytest.raises(NotConnected, match=r"none of the devices.*gone") as raised:
        while asked:
            heard = reply(form, asked.pop(0), code, "gone")
            asked += heard.send
    assert raised.value.needs_a_person


def test_a_refused_device_is_asked_for_again_and_taken(clock: FakeClock) -> None:
    form, (login,) = begun("aliyun", clock, ["m1", "m2", "m3"])
    one, two, three = reply(form, login, 6401).send
    reply(form, one, 200)
    reply(form, two, 6401)
    reply(form, three, 200)
    assert list(form.due(clock.monotonic())) == []
    clock.move(61)
    (again,) = form.due(clock.monotonic())
    assert again is not None
    assert devices_of(again) == ["m2"]
    reply(form, again, 200)
    assert refused_rows(form) == []


def test_huawei_says_a_hundred_at_a_time_and_waits_for_each_answer(clock: FakeClock) -> None:
    meters = [f"m{i}" for i in range(230)]
    form, asked = begun("huawei_iotda", clock, meters)
    said_online: list[str] = []
    while asked:
        (message,) = asked
        (service,) = json.loads(message.payload)["services"]
        ids = [each["device_id"] for each in service["paras"]["device_statuses"]]
        said_online += ids
        assert len(ids) <= 100
        paras = {
            "successful_devices": [
                {"device_id": each, "status": "ONLINE"} for each in ids if each != "id_m7"
            ],
            "failed_devices": [
                {"device_id": each, "error_code": "E1", "error_msg": "no such device"}
                for each in ids
                if each == "id_m7"
            ],
        }
        down = {
            "services": [
                {
                    "service_id": "$sub_device_manager",
                    "event_type": "sub_device_update_status_response",
                    "paras": paras,
                }
            ]
        }
        heard = form.heard("$oc/devices/gw1/sys/events/down", json.dumps(down).encode())
        assert [each.reply for each in heard.answers] == [message.reply]
        asked = list(heard.send)
    assert said_online == [f"id_{meter}" for meter in meters]
    assert form.statistics()["devices_refused"] == 1


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"code":"200"}',
        b'{"code":true}',
        b'{"id":5,"code":200}',
        b'{"services":[{"event_type":"sub_device_update_status_response","paras":[]}]}',
        b'{"services":[{"event_type":"sub_device_update_status_response","paras":{"failed_devices":[1]}}]}',
        b"\xff\xfe",
    ],
)
@pytest.mark.parametrize("platform", ["huawei_iotda", "aliyun", "onenet"])
def test_what_is_no_answer_changes_nothing(platform: str, payload: bytes, clock: FakeClock) -> None:
    form, _ = begun(platform, clock, ["m1"])
    assert form.heard("any", payload) == Heard()


@pytest.mark.fault("B5")
@pytest.mark.parametrize(
    ("platform", "code", "person"),
    [
        ("aliyun", 403, True),
        ("aliyun", 5005, True),
        ("aliyun", 99999, True),
        ("aliyun", 429, False),
        ("aliyun", 500, False),
        ("aliyun", 520, False),
        ("onenet", 1104, True),
        ("onenet", 305, True),
        ("onenet", 12345, True),
        ("onenet", 303, False),
    ],
)
def test_quota_trouble_and_codes_nobody_knows_keep_the_rows(
    platform: str, code: int, person: bool, clock: FakeClock
) -> None:
    form, asked = begun(platform, clock, ["m1", "m2", "m3"])
    for each in asked:
        reply(form, each, 200)
    message = next(each for each in form.messages(delivery(1)) if each.reply)
    with pytest.raises(NotConnected, match=f"{code} no more today") as raised:
        reply(form, message, code, "no more today")
    assert raised.value.needs_a_person is person


@pytest.mark.fault("B5")
@pytest.mark.parametrize(("platform", "code"), [("aliyun", 460), ("onenet", 309)])
def test_bytes_that_are_refused_are_halved_until_one_reading_is_alone(
    platform: str, code: int, clock: FakeClock
) -> None:
    form, asked = begun(platform, clock, ["m1", "m2", "m3"])
    for each in asked:
        reply(form, each, 200)
    waiting = [each for each in form.messages(delivery(1)) if each.reply]
    assert len(waiting) == 1
    refused: list[int] = []
    sent = 0
    while waiting:
        message = waiting.pop(0)
        assert message.rows is not None
        sent += 1
        is_poison = 3 in message.rows.tolist()
        (answer,) = reply(form, message, code if is_poison else 200, "no such").answers
        waiting += answer.instead
        if answer.refusal:
            refused += message.rows.tolist()
    assert refused == [3]
    assert sent <= 1 + 2 * 3


def test_a_device_a_pack_is_refused_for_is_left_out_and_the_others_go_on(clock: FakeClock) -> None:
    form, (login,) = begun("aliyun", clock, ["m1", "m2", "m3"])
    reply(form, login, 200)
    (message,) = form.messages(delivery(1))
    (answer,) = reply(form, message, 6204, "device is disabled").answers
    one, two, three = answer.instead
    assert reply(form, one, 200).answers[0].refusal == ""
    assert "6204 device is disabled" in reply(form, two, 6204, "device is disabled").answers[0].refusal
    assert reply(form, three, 200).answers[0].refusal == ""
    assert len(refused_rows(form, 2)) == 1


def test_a_property_a_reply_of_success_throws_away_is_refused_alone(clock: FakeClock) -> None:
    form, (login,) = begun("aliyun", clock, ["m1", "m2", "m3"])
    reply(form, login, 200)
    (message,) = form.messages(delivery(1))
    data = {"state": "tsl parse: params not exist", "productKey": "x"}
    (answer,) = reply(form, message, 200, "success", data).answers
    assert answer.rows is not None
    assert answer.rows.tolist() == [5]
    assert answer.refusal == "state: tsl parse: params not exist"


def test_a_property_a_reply_of_success_names_is_asked_for_product_by_product(clock: FakeClock) -> None:
    """One product's model lacks P; the reply says no more than that."""
    products = {"m1": "x", "m2": "y", "m3": "x"}
    devices = {
        path(meter): {"product_key": key, "device_name": meter, "secret": Secret("s")}
        for meter, key in products.items()
    }
    form, (login,) = begun("aliyun", clock, list(products), devices=devices)
    reply(form, login, 200)
    (message,) = form.messages(delivery(1))
    data = {"P": "tsl parse: params not exist"}
    (answer,) = reply(form, message, 200, "success", data).answers
    assert answer.refusal == ""
    x, y = answer.instead
    assert [each.rows.tolist() for each in (x, y) if each.rows is not None] == [[0, 2], [1]]
    assert reply(form, x, 200, "success").answers[0].refusal == ""
    assert reply(form, y, 200, "success", data).answers[0].refusal == "P: tsl parse: params not exist"


def test_a_value_a_reply_of_success_names_is_asked_for_device_by_device(clock: FakeClock) -> None:
    form, (login,) = begun("aliyun", clock, ["m1", "m2", "m3"])
    reply(form, login, 200)
    (message,) = form.messages(delivery(1))
    (answer,) = reply(form, message, 200, "success", {"P": "too large", "state": "too long"}).answers
    assert [each.rows.tolist() for each in answer.instead if each.rows is not None] == [[0, 5], [1], [2]]
    (first,) = reply(form, answer.instead[0], 200, "success", {"state": "too long"}).answers
    assert first.rows is not None
    assert first.rows.tolist() == [5]
    assert reply(form, answer.instead[1], 200, "success").answers[0].refusal == ""


def test_onenet_signs_in_anew_before_its_token_ends(clock: FakeClock) -> None:
    form, asked = begun("onenet", clock, ["m1"], token_valid="2h")  # noqa: S106  a duration
    for each in asked:
        reply(form, each, 200)
    clock.move(2 * 3600 - 361)
    assert list(form.due(clock.monotonic())) == []
    clock.move(2)
    with pytest.raises(NotConnected, match="token ends soon") as raised:
        list(form.due(clock.monotonic()))
    assert not raised.value.needs_a_person
    first = form.sign_in(clock.now())
    clock.move(1)
    second = form.sign_in(clock.now())
    assert first is not None
    assert second is not None
    assert first.password != second.password


def test_ids_are_unlike_one_another_in_a_session_and_after_a_restart(clock: FakeClock) -> None:
    form, asked = begun("onenet", clock, MANY)
    ids = [each.reply for each in asked]
    clock.move(1)
    _, again = begun("onenet", clock, MANY)
    ids += [each.reply for each in again]
    assert len(set(ids)) == 2 * len(MANY)
    assert all(len(each) <= 13 and each.isdigit() for each in ids)
    assert form.statistics()["devices_refused"] == 0


SAID = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.text(max_size=8), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "code",
                    "message",
                    "msg",
                    "data",
                    "services",
                    "event_type",
                    "paras",
                    "P",
                    "successful_devices",
                    "failed_devices",
                    "device_id",
                    "error_code",
                ]
            ),
            inner,
            max_size=6,
        ),
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("platform", ["huawei_iotda", "aliyun", "onenet"])
@given(st.one_of(st.binary(max_size=60), SAID.map(lambda said: json.dumps(said).encode())))
def test_nothing_a_platform_may_say_is_an_error_of_ours(platform: str, payload: bytes) -> None:
    clock = FakeClock()
    form, asked = begun(platform, clock, ["m1", "m2"])
    first = list(form.messages(delivery(1, (0, 1))))
    told = json.dumps({"id": asked[0].reply, "code": 200}).encode()
    for each in (
        payload,
        told,
        payload,
        payload.replace(b'"id": ""', b'"id": "%b"' % first[0].reply.encode()),
    ):
        with contextlib.suppress(NotConnected):
            form.heard("any", each)


@pytest.mark.parametrize("platform", ["huawei_iotda", "aliyun", "onenet"])
def test_a_reply_that_is_nested_a_thousand_times_is_no_error(platform: str, clock: FakeClock) -> None:
    form, asked = begun(platform, clock, ["m1"])
    reply(form, asked[0], 200)
    for message in form.messages(delivery(1, (0,))):
        deep = '{"P":[' * 500 + "]}" * 500
        form.heard("any", f'{{"id":"{message.reply}","code":200,"data":{deep}}}'.encode())
    form.heard("any", b"[" * 100_000)


def test_a_onenet_key_that_is_no_longer_base64_calls_a_person(clock: FakeClock) -> None:
    form = build_form(
        options("onenet", 1, meters=["m1"], key=Secret("#")), Context("g", table(["m1"]), clock), "cz"
    )
    with pytest.raises(NotConnected, match="not base64") as raised:
        form.sign_in(clock.now())
    assert raised.value.needs_a_person
