"""A broker that takes smaller messages than we send: learned once; only what can't be split is set aside."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors import Columns, Delivery, Kind, NotConnected, Refusal, Rejected, Tag
from connectors.mqtt import MqttSink
from tests.servers.broker import Broker
from tests.unit.mqtt.listening import listening
from tests.unit.mqtt.plant import DEVICE, T0, delivery, sink, tag_table, until
from tests.verify.recording import read

pytestmark = pytest.mark.server
ROWS = '{"v": [{% for r in rows %}{{ r.value }}{{ "," if not loop.last }}{% endfor %}]}'
TEMPLATE = {"kind": "template", "each": "device", "topic": "wanglian/t", "payload": ROWS}


def values_of(message: dict[str, Any]) -> list[float]:
    said = message.get("v", message.get("values", {}))
    return list(said.values()) if isinstance(said, dict) else said


async def delivered(mqtt: MqttSink, *written: Delivery) -> tuple[int, list[Refusal]]:
    """Write as the gateway does, again after each lost connection; return how many, and refusals."""
    lost = 0
    while True:
        try:
            async with mqtt:
                try:
                    await mqtt.write(written)
                except Rejected as exc:
                    return lost, list(exc.refusals)
                return lost, []
        except NotConnected:
            lost += 1
            assert lost <= 20


@pytest.mark.fault("B5")
@pytest.mark.parametrize(
    "form", [{"kind": "json"}, {"kind": "values"}, TEMPLATE], ids=lambda form: form["kind"]
)
async def test_what_a_broker_finds_too_large_is_split_for_good_and_every_row_arrives(
    tmp_path: Path, record_measure, form: dict[str, object]
) -> None:
    with Broker(tmp_path / "b", settings=("message_size_limit 900",)) as broker:
        async with listening(broker, tmp_path / "r.bin") as out:
            mqtt = sink(broker.port, tag_table(100), format=form)
            learning, refused = await delivered(mqtt, *(delivery(seq, 100) for seq in range(1, 6)))
            assert refused == []
            later, refused = await delivered(mqtt, *(delivery(seq, 100) for seq in range(6, 11)))
            assert (later, refused) == (0, [])
            numbers = {n for seq in range(1, 11) for n in range(seq, seq + 100)}

            def values() -> list[float]:
                texts = [r.payload for r in read(out) if not r.topic.endswith(("_tags", "_status"))]
                return [v for text in texts for v in values_of(json.loads(text))]

            await until(lambda: set(values()) >= numbers)
            assert len(values()) >= 1000
    record_measure(
        f"messages over the broker's limit, {form['kind']}: 1,000 of 1,000 rows in smaller ones, 0 refused, "
        f"{learning} connections to learn it, 0 later"
    )


@pytest.mark.fault("B5")
async def test_one_row_that_is_too_large_by_itself_is_set_aside_alone_and_costs_no_second_connection(
    tmp_path: Path, record_measure
) -> None:
    with Broker(tmp_path / "b", settings=("message_size_limit 900",)) as broker:
        table = tag_table(10)
        table.announce([Tag(f"{DEVICE}/text", Kind.TEXT, "1", "plc")])
        mqtt = sink(broker.port, table)

        def with_text(seq: int, size: int) -> Delivery:
            numbers = delivery(seq)
            text = Columns(
                np.array([10], np.int32),
                np.array([T0]),
                np.array(["x" * size], object),
                np.zeros(1, np.uint32),
            )
            return replace(numbers, batch=replace(numbers.batch, parts=(*numbers.batch.parts, text)))

        first, refused = await delivered(mqtt, with_text(1, 1000))
        assert [(each.delivery, each.rows.tolist()) for each in refused] == [(0, [10])]
        again, refused = await delivered(mqtt, with_text(2, 1100), with_text(3, 10))
        assert [(each.delivery, each.rows.tolist()) for each in refused] == [(0, [10])]
        assert again == 0
        smaller, refused = await delivered(mqtt, with_text(4, 600))
        assert (smaller, refused) == (0, []), "smaller than what was refused, though larger than half of it"
    record_measure(
        f"a row too large by itself: it alone set aside, {first} connections the first time, 0 later"
    )
