from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from config.load import load_plant
from connectors import Kind, SystemClock, Tag, TagTable
from gateway.lab.modbus import frames, replies
from gateway.lab.modbus.line import SerialEquipment
from gateway.lab.modbus.tcp import TcpEquipment
from gateway.probe import Reading, probe_plant
from gateway.review import Reviews
from gateway.ways import NoWays, in_every_way, sensible
from tests.servers.broker import Broker

PLANT = """
gateway: {{id: g, site: cz}}
sources:
  line:
    kind: modbus_tcp
    host: 127.0.0.1
    port: {port}
    devices:
      meter_{{1..3}}: {{tags: {{power: {{address: 7}}}}}}
"""


async def test_a_device_that_cuts_the_line_hides_neither_those_before_it_nor_those_behind(
    tmp_path: Path,
) -> None:
    def script(request: frames.Request) -> Iterable[replies.Step]:
        return [replies.CUT] if request.unit == 2 else [frames.reply(request)]

    async with TcpEquipment(script) as server:
        file = tmp_path / "plant.yaml"
        file.write_text(PLANT.format(port=server.port))
        readings = await probe_plant(load_plant(file), file.parent)
    assert [(each.device, each.value) for each in readings] == [
        ("cz/-/-/meter_1", frames.register(1, 7)),
        ("cz/-/-/meter_2", None),
        ("cz/-/-/meter_3", frames.register(3, 7)),
    ]
    assert "closed the connection" in readings[1].error


async def test_a_value_is_read_in_every_type_and_order_and_one_address_beside(tmp_path: Path) -> None:
    """-3.5 as CDAB and a neighbour; what is no number in a way is left out."""
    registers = {100: 0x0000, 101: 0xC060, 102: 0x1234}

    def script(request: frames.Request) -> Iterable[replies.Step]:
        first, count = request.address, request.count
        words = b"".join(registers.get(each, 0).to_bytes(2) for each in range(first, first + count))
        return [frames.reply(request, words)]

    async with TcpEquipment(script) as server:
        file = tmp_path / "plant.yaml"
        tag = "{address: 100, type: float32, order: CDAB, scale: 2, unit: W}"
        text = PLANT.format(port=server.port).replace("meter_{1..3}", "meter_1")
        file.write_text(text.replace("power: {address: 7}", f"power: {tag}"))
        plant = load_plant(file)
        ways = in_every_way(plant, "meter_1/power")
        read = sensible(ways, await probe_plant(ways, file.parent), "en")
    told = {each.tag: each.value for each in read}
    assert next(iter(told)) == "as it is written"
    assert told["as it is written"] == told["type: float32, order: CDAB"] == -7.0
    assert told["type: uint32, order: CDAB"] == 2 * 0xC0600000
    assert told["type: int32, order: DCBA"] == 2 * 0x60C00000
    assert told["address: 101"] == pytest.approx(2 * np.array(0x1234C060, np.uint32).view(np.float32).item())
    assert "type: bcd, order: ABCD" not in told
    for other in ("meter_1/none", "meter_2/power", "power"):
        with pytest.raises(NoWays):
            in_every_way(plant, other)


async def test_an_adapter_that_echoes_is_told_from_one_that_is_silent(tmp_path: Path) -> None:
    async with SerialEquipment(tmp_path / "line", replies.echoing) as line:
        file = tmp_path / "plant.yaml"
        where = "modbus_serial\n    quiet: 50ms\n    timeout: 100ms\n"
        text = PLANT.format(port=line.path).replace("modbus_tcp\n    host: 127.0.0.1\n", where)
        file.write_text(text)
        readings = await probe_plant(load_plant(file), file.parent)
        assert {each.value for each in readings} == {None}
        assert all("set echo: true" in each.error for each in readings)
        file.write_text(text.replace(where, f"{where}    echo: true\n"))
        readings = await probe_plant(load_plant(file), file.parent)
    assert [each.value for each in readings] == [frames.register(unit, 7) for unit in (1, 2, 3)]


@pytest.mark.server
async def test_a_source_that_cannot_be_asked_is_listened_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.probe.LISTEN_S", 0.3)
    messages = '[{topic: plant/+, device: "{1}", tags: {x: {unit: V}}}]'
    with Broker(tmp_path / "broker") as broker:
        at = f"host: 127.0.0.1, port: {broker.port}"
        file = tmp_path / "plant.yaml"
        file.write_text(
            f"gateway: {{id: g, site: cz}}\nsources: {{bus: {{kind: mqtt, {at}, messages: {messages}}}}}\n",
            encoding="utf-8",
        )
        (silent,) = await probe_plant(load_plant(file), file.parent)
        assert "no message" in silent.error
        publisher = Client(CallbackAPIVersion.VERSION2)
        publisher.connect("127.0.0.1", broker.port)
        publisher.loop_start()
        publisher.publish("plant/d", "230.5", qos=1, retain=True).wait_for_publish(10)
        publisher.disconnect()
        publisher.loop_stop()
        (reading,) = await probe_plant(load_plant(file), file.parent)
        assert (reading.device, reading.tag, reading.value, reading.unit) == ("cz/-/-/d", "x", 230.5, "V")
    (away,) = await probe_plant(load_plant(file), file.parent)
    assert "refused the connection" in away.error


async def test_a_tag_that_is_held_for_review_is_marked(tmp_path: Path) -> None:
    before = Tag("cz/-/-/meter_2/power", Kind.FLOAT64, "1", "line")
    with Reviews(tmp_path, SystemClock()) as reviews:
        reviews.changed(TagTable([(0, before)]), [(0, replace(before, scale=40.0))])
    async with TcpEquipment(replies.honest) as server:
        file = tmp_path / "plant.yaml"
        file.write_text(PLANT.format(port=server.port))
        readings = await probe_plant(load_plant(file), tmp_path)
    assert [each.held for each in readings] == [False, True, False]
    assert [each.cells("en")[4] for each in readings] == ["Good", "Good, held for review", "Good"]
    assert all(each.is_good for each in readings)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (20417.25, "20417.25"),
        (1234567.891, "1234567.891"),
        (230.10000610351562, "230.1"),
        (16777216.0, "16777216"),
        (0.1, "0.1"),
    ],
)
def test_a_value_is_shown_as_the_meter_shows_it(value: float, shown: str) -> None:
    assert Reading("m", "t", value, "kWh", "Good", 1.0).cells("zh")[2] == shown
