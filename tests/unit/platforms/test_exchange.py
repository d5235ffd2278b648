"""Each platform's stand-in and the sink: what arrives, and what becomes of every refusal."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.base import Secret, SecretText
from connectors import NotConnected, Rejected
from tests.conftest import FakeClock
from tests.servers.platforms.aliyun import Aliyun
from tests.servers.platforms.onenet import OneNet
from tests.unit.platforms.plant import METERS, T0_MS, delivery, format_of, sink
from tests.unit.platforms.rigs import PLATFORMS, called, platform

pytestmark = pytest.mark.server
ANSWERING = ("aliyun", "onenet")


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def expected(kind: str, seq: int, meters: tuple[int, ...] = (0, 1, 2), times: int = 1) -> dict[Any, Any]:
    """Return what a platform must have of a delivery."""
    ms = T0_MS + seq * 1000
    found = {
        (called(kind, METERS[meter]), "P", ms + again): 1.5 + meter + seq
        for meter in meters
        for again in range(times)
    }
    first = called(kind, METERS[meters[0]])
    on: Any = 1 if kind == "aliyun" else True
    return found | {(first, "on", ms): on, (first, "E", ms): 2**60 + seq, (first, "state", ms): "停机"}


@pytest.mark.parametrize("kind", PLATFORMS)
async def test_every_kind_of_value_arrives_with_its_time(kind: str, tmp_path: Path) -> None:
    with platform(kind, tmp_path) as peer:
        async with sink(kind, peer.port) as mqtt:
            await mqtt.write([delivery(1), delivery(2, times=3)])
        wanted = expected(kind, 1) | expected(kind, 2, times=3)
        await until(lambda: len(peer.taken) >= len(wanted))
        assert peer.stored() == wanted
        assert peer.faults == []


@pytest.mark.parametrize("kind", PLATFORMS)
async def test_what_is_late_arrives_too(kind: str, tmp_path: Path) -> None:
    with platform(kind, tmp_path) as peer:
        async with sink(kind, peer.port) as mqtt:
            await mqtt.write([delivery(1, times=2, historical=True)])
        wanted = expected(kind, 1, times=2)
        await until(lambda: len(peer.taken) >= len(wanted))
        assert peer.stored() == wanted
        assert peer.faults == []
        if isinstance(peer, Aliyun):
            assert [what for what, _ in peer.answered] == ["login", "history"]


@pytest.mark.parametrize("kind", PLATFORMS)
async def test_a_bad_row_is_left_out_and_counted(kind: str, tmp_path: Path) -> None:
    with platform(kind, tmp_path) as peer:
        async with sink(kind, peer.port) as mqtt:
            await mqtt.write([delivery(1, bad=[1])])
            assert mqtt.statistics()["left_out"] == 1
        await until(lambda: len(peer.taken) >= 5)
        assert not [each for each in peer.taken if each.device == called(kind, "m2")]
        assert peer.faults == []


@pytest.mark.parametrize("kind", PLATFORMS)
async def test_a_wrong_secret_calls_a_person_and_refuses_no_row(kind: str, tmp_path: Path) -> None:
    field = {"thingsboard": "token", "onenet": "key"}.get(kind, "secret")
    wrong = format_of(kind) | {field: Secret("d3Jvbmc=")}
    with platform(kind, tmp_path) as peer:
        with pytest.raises(NotConnected, match="refused the connection") as raised:
            async with sink(kind, peer.port, format=wrong):
                pass
        assert raised.value.needs_a_person
        assert peer.taken == []


@pytest.mark.fault("B5")
@pytest.mark.parametrize("kind", ["huawei_iotda", "aliyun", "onenet"])
async def test_one_device_that_is_refused_does_not_stop_the_others(
    kind: str, tmp_path: Path, record_measure: Callable[..., None]
) -> None:
    with platform(kind, tmp_path, meters=("m1", "m3")) as peer:
        async with sink(kind, peer.port) as mqtt:
            with pytest.raises(Rejected) as raised:
                await mqtt.write([delivery(1)])
            assert mqtt.statistics()["devices_refused"] == 1
        (refusal,) = raised.value.refusals
        assert refusal.rows is not None
        assert refusal.rows.tolist() == [1]
        assert f"{kind} does not take cz/press/line1/m2" in refusal.reason
        wanted = {k: v for k, v in expected(kind, 1).items() if k[0] != called(kind, "m2")}
        await until(lambda: len(peer.taken) >= len(wanted))
        assert peer.stored() == wanted
        assert peer.faults == []
    record_measure(
        f"{kind}: 1 of 3 sub-devices unknown: its row in quarantine, 5 of 5 others accepted", row="B5"
    )


@pytest.mark.fault("B6")
@pytest.mark.parametrize("kind", ANSWERING)
async def test_a_reply_that_never_comes_ends_the_session_at_its_deadline(kind: str, tmp_path: Path) -> None:
    with platform(kind, tmp_path) as peer:
        async with sink(kind, peer.port, ack_timeout="1s") as mqtt:
            await mqtt.write([delivery(1)])
            peer.mute = True
            with pytest.raises(
                NotConnected, match=r"acknowledged a message on .*/post but did not answer"
            ) as raised:
                await mqtt.write([delivery(2)])
            assert not raised.value.needs_a_person
            assert mqtt.statistics()["timeouts"] == 1
        peer.mute = False
        async with sink(kind, peer.port) as mqtt:
            await mqtt.write([delivery(2)])
        assert peer.stored() == expected(kind, 1) | expected(kind, 2)


@pytest.mark.fault("B6")
async def test_a_platform_that_is_slow_but_answers_is_not_taken_for_a_dead_one(tmp_path: Path) -> None:
    with platform("aliyun", tmp_path) as peer:
        async with sink("aliyun", peer.port, ack_timeout="1s", window=16) as mqtt:
            peer.takes_s = 0.02
            # 80 messages one after another take longer than the deadline of one.
            await mqtt.write([delivery(seq) for seq in range(1, 81)])
            assert mqtt.statistics()["timeouts"] == 0
        assert len(peer.taken) == 80 * 6
        assert peer.faults == []


@pytest.mark.fault("B5")
async def test_aliyun_refuses_one_reading_of_many_and_takes_the_rest(tmp_path: Path) -> None:
    with platform("aliyun", tmp_path) as peer:
        assert isinstance(peer, Aliyun)
        peer.code_for = {"state": (460, "request parameter error")}
        async with sink("aliyun", peer.port) as mqtt:
            with pytest.raises(Rejected) as raised:
                await mqtt.write([delivery(1), delivery(2)])
        found = [
            (each.delivery, None if each.rows is None else each.rows.tolist())
            for each in raised.value.refusals
        ]
        assert sorted(found) == [(0, [5]), (1, [5])]
        wanted = expected("aliyun", 1) | expected("aliyun", 2)
        assert peer.stored() == {key: value for key, value in wanted.items() if key[1] != "state"}
        assert peer.faults == []


async def test_aliyun_throws_a_property_away_and_its_rows_go_to_quarantine(tmp_path: Path) -> None:
    with platform("aliyun", tmp_path) as peer:
        assert isinstance(peer, Aliyun)
        peer.no_property = {"E"}
        async with sink("aliyun", peer.port) as mqtt:
            with pytest.raises(Rejected, match="E: tsl parse: params not exist") as raised:
                await mqtt.write([delivery(1)])
        (refusal,) = raised.value.refusals
        assert refusal.rows is not None
        assert refusal.rows.tolist() == [4]


async def test_onenet_refuses_one_identifier_and_takes_the_rest(tmp_path: Path) -> None:
    with platform("onenet", tmp_path) as peer:
        assert isinstance(peer, OneNet)
        peer.no_identifier = {"on"}
        async with sink("onenet", peer.port) as mqtt:
            with pytest.raises(Rejected, match="309 identifier not exist") as raised:
                await mqtt.write([delivery(1)])
        (refusal,) = raised.value.refusals
        assert refusal.rows is not None
        assert refusal.rows.tolist() == [3]
        wanted = {key: value for key, value in expected("onenet", 1).items() if key[1] != "on"}
        assert peer.stored() == wanted


async def test_aliyun_adds_its_sub_devices_when_asked_to(tmp_path: Path) -> None:
    with platform("aliyun", tmp_path) as peer:
        assert isinstance(peer, Aliyun)
        peer.attached.clear()
        async with sink("aliyun", peer.port, topology="add") as mqtt:
            await mqtt.write([delivery(1)])
        assert peer.stored() == expected("aliyun", 1)
        assert [what for what, _ in peer.answered] == ["topo", "login", "pack"]
        assert peer.faults == []


@pytest.mark.parametrize("kind", PLATFORMS)
async def test_a_connection_cut_between_messages_repeats_harmlessly(kind: str, tmp_path: Path) -> None:
    with platform(kind, tmp_path) as peer:
        batches = [delivery(seq, times=2) for seq in range(1, 30)]
        with pytest.raises(NotConnected):
            async with sink(kind, peer.port) as mqtt:
                writing = asyncio.create_task(mqtt.write(batches))
                await until(lambda: len(peer.taken) > 3)
                peer.slam()
                await writing
                await mqtt.write(batches)
        async with sink(kind, peer.port) as mqtt:
            await mqtt.write(batches)
        wanted: dict[Any, Any] = {}
        for seq in range(1, 30):
            wanted |= expected(kind, seq, times=2)
        await until(lambda: peer.stored() == wanted)
        assert peer.faults == []


async def test_no_more_messages_a_second_than_the_rate(tmp_path: Path) -> None:
    with platform("thingsboard", tmp_path) as peer:
        async with sink("thingsboard", peer.port, rate=20) as mqtt:
            begun = asyncio.get_running_loop().time()
            for seq in range(10):
                await mqtt.write([delivery(seq)])
            took = asyncio.get_running_loop().time() - begun
        # 3 announcements and 10 messages: twelve gaps of 50 ms. What is slower is the machine's affair.
        assert took >= 12 * 0.05 * 0.99
        assert peer.faults == []


@pytest.mark.fault("B5")
@pytest.mark.parametrize(("kind", "off_s"), [("onenet", -30 * 86_400), ("huawei_iotda", 2 * 3600)])
async def test_an_expired_sign_in_calls_a_person_and_fills_no_quarantine(
    kind: str, off_s: int, tmp_path: Path, clock: FakeClock, record_measure: Callable[..., None]
) -> None:
    clock.wall = int((time.time() + off_s) * 1e9)
    with platform(kind, tmp_path) as peer:
        for _ in range(3):
            with pytest.raises(NotConnected, match="refused the connection") as raised:
                async with sink(kind, peer.port, clock=clock) as mqtt:
                    await mqtt.write([delivery(1)])
            assert raised.value.needs_a_person
        clock.wall = int(time.time() * 1e9)
        async with sink(kind, peer.port, clock=clock) as mqtt:
            await mqtt.write([delivery(1)])
        await until(lambda: peer.stored() == expected(kind, 1))
    record_measure(
        f"{kind}: 3 refused sign-ins, 0 rows in quarantine, all there when the clock was right", row="B5"
    )


@pytest.mark.parametrize("kind", PLATFORMS)
async def test_a_secret_that_was_renewed_in_its_file_is_used_at_the_next_sign_in(
    kind: str, tmp_path: Path
) -> None:
    field = {"thingsboard": "token", "onenet": "key"}.get(kind, "secret")
    right = format_of(kind)[field].get_secret_value()
    kept = SecretText("d3Jvbmc=")
    held = ["d3Jvbmc="]
    kept.again = lambda: held[0]
    form = format_of(kind) | {field: kept}
    with platform(kind, tmp_path) as peer:
        mqtt = sink(kind, peer.port, format=form)
        with pytest.raises(NotConnected, match="refused the connection"):
            async with mqtt:
                pass
        held[0] = right
        async with mqtt:
            await mqtt.write([delivery(1)])
        await until(lambda: peer.stored() == expected(kind, 1))


MANY = tuple(f"m{i}" for i in range(40))


@pytest.mark.parametrize(
    ("kind", "messages"), [("thingsboard", 1), ("huawei_iotda", 1), ("aliyun", 2), ("onenet", 4)]
)
async def test_what_waited_together_goes_in_few_messages(kind: str, messages: int, tmp_path: Path) -> None:
    with platform(kind, tmp_path, MANY) as peer:
        async with sink(kind, peer.port, meters=MANY) as mqtt:
            before = mqtt.statistics()["messages"]
            await mqtt.write([delivery(seq, (seq,)) for seq in range(40)])
            announced = len(MANY) if kind == "thingsboard" else 0
            assert mqtt.statistics()["messages"] - before - announced == messages
        await until(lambda: len(peer.taken) >= 160)
        assert peer.stored() == {
            (called(kind, MANY[seq]), *key[1:]): value
            for seq in range(40)
            for key, value in expected(kind, seq).items()
            if key[0] == called(kind, "m1") and key[1] != "P"
        } | {(called(kind, MANY[seq]), "P", T0_MS + seq * 1000): 1.5 + 2 * seq for seq in range(40)}
        assert peer.faults == []


async def test_a_refusal_in_a_message_of_many_deliveries_finds_its_own(tmp_path: Path) -> None:
    with platform("aliyun", tmp_path, MANY[:7] + MANY[8:]) as peer:
        assert isinstance(peer, Aliyun)
        peer.no_property = {"state"}
        async with sink("aliyun", peer.port, meters=MANY) as mqtt:
            with pytest.raises(Rejected) as raised:
                await mqtt.write([delivery(seq, (seq,), historical=seq in (3, 4)) for seq in range(40)])
        found: dict[int, list[int]] = {}
        for each in raised.value.refusals:
            assert each.rows is not None
            found.setdefault(each.delivery, []).extend(each.rows.tolist())
        # Of each delivery row 3 is `state`, unknown; the seventh device is unknown altogether.
        assert found == {seq: [0, 1, 2, 3] if seq == 7 else [3] for seq in range(40)}
        assert [what for what, _ in peer.answered if what != "login"].count("history") == 1
        assert len(peer.taken) == 39 * 3
        assert peer.faults == []
