"""What was published last: bounded in the gateway, readable on the page, Sparkplug with its names."""

import gzip
import json

from connectors.broker.seen import MOST_BYTES, MOST_TOPICS, Seen
from connectors.factory import readable
from connectors.sparkplug.schema import Payload
from gateway.published import published_verbs


class Sink:
    """A sink that keeps what it published."""

    def __init__(self) -> None:
        self.seen = Seen()


async def test_topics_are_found_by_words_and_count_their_messages() -> None:
    sink = Sink()
    for i in range(3):
        sink.seen.note("wanglian/cz/hall/-/mill", b'{"seq":%d}' % i)
    sink.seen.note("wanglian/cz/_gateway/g/_status", b"{}", retained=True)
    verbs = published_verbs({"cloud": sink, "database": object()})
    found = await verbs["topics"]({"words": "HALL mill"})
    (topic,) = found["topics"]
    assert (topic["count"], topic["size"], topic["bytes"], topic["retained"]) == (3, 9, 27, False)
    assert (await verbs["topics"]({}))["total"] == 2
    assert await verbs["message"]({"sink": "cloud", "topic": "nowhere"}) == {}
    assert await verbs["message"]({"sink": "database", "topic": "x"}) == {}


def test_however_much_is_published_what_is_kept_stays_within_its_bounds() -> None:
    seen = Seen()
    for i in range(MOST_TOPICS + 500):
        seen.note(f"t/{i}", b"x")
    assert len(seen.topics()) == MOST_TOPICS
    assert seen.get("t/0") is None
    for i in range(40):
        seen.note(f"large/{i}", bytes(MOST_BYTES // 8))
    kept = seen.topics()
    assert sum(len(last.payload) for _, last in kept) <= MOST_BYTES
    assert "large/39" in dict(kept)


def test_a_message_is_shown_as_what_it_is() -> None:
    assert readable(b'{"v":[1.5,null]}')[1] == "json"
    assert json.loads(readable(gzip.compress(b'{"v":1}'))[0]) == {"v": 1}
    assert readable("谷".encode()) == ("谷", "text")
    assert readable(b"\x1f\x8bnot compressed at all\xff") == (
        b"\x1f\x8bnot compressed at all\xff".hex(" "),
        "bytes",
    )
    assert readable(b"") == ("", "text")


async def test_an_alias_is_shown_by_the_name_its_nodes_birth_gave_it() -> None:
    birth, data = Payload(timestamp=1, seq=0), Payload(timestamp=2_000_000_000_000, seq=200)
    birth.metrics.add(name="power", alias=7, datatype=10, double_value=1.0)
    data.metrics.add(alias=7, datatype=10, double_value=2.5)
    sink = Sink()
    sink.seen.note("spBv1.0/plant/DBIRTH/edge/mill", birth.SerializeToString())
    sink.seen.note("spBv1.0/plant/DDATA/edge/mill", data.SerializeToString())
    said = await published_verbs({"host": sink})["message"](
        {"sink": "host", "topic": "spBv1.0/plant/DDATA/edge/mill"}
    )
    assert len(said["births"]) == 1
    text, form = readable(data.SerializeToString(), [birth.SerializeToString()])
    assert form == "sparkplug"
    assert json.loads(text)["metrics"][0]["name"] == "power"
