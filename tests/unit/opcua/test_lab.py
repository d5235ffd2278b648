"""The lab server's messages, a load like a plant's, decode to the values its arithmetic tells."""

import random

import pytest

from connectors.opcua.publish import decode_publish
from tests.servers import lab_values as lab
from tests.unit.opcua.rows import rows_of

NOW, SOURCE_NS = 133_500_000_000_000_000, 1_700_000_000_000_000_000


@pytest.mark.parametrize("order", ["sorted", "mixed"])
def test_a_load_like_a_plants_is_decoded_value_by_value(order):
    items = sorted(range(1000), key=lab.kind)
    if order == "mixed":
        random.Random(1).shuffle(items)
    for version in range(lab.VERSIONS):
        message = lab.message(1, [item + 7 for item in items], items, version)
        source = lab.stamp(SOURCE_NS, 992 + version)
        published = decode_publish(message.patched(5, 77, NOW, source, 2))
        assert published.sequence_number == 77
        assert published.results == (0, 0)
        rows = rows_of(published)
        assert [row.handle - 7 for row in rows] == items
        for row, item in zip(rows, items, strict=True):
            assert row.builtin == lab.kind(item)
            assert row.value == lab.value(item, version)
            assert row.status == (lab.BAD if lab.bad(item, version) else 0)
            assert lab.tick_of(row.source_time) == 992 + version
            assert row.server_time == (NOW - lab.UNIX) * 100
