"""What the sinks have published last, topic by topic, for whoever looks at the page."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final, Protocol, runtime_checkable

from connectors.broker.seen import Seen
from gateway.control import Verb

MOST_SHOWN: Final = 500


@runtime_checkable
class Publishing(Protocol):
    """A sink that keeps what it published last."""

    seen: Seen


def published_verbs(sinks: Mapping[str, object]) -> dict[str, Verb]:
    """Return the commands `topics` and `message`; `sinks` by name, as they are when asked."""

    async def topics(asked: Mapping[str, Any]) -> dict[str, Any]:
        words = str(asked.get("words", "")).lower().split()
        found = [
            {
                "sink": name,
                "topic": topic,
                "at": last.at,
                "count": last.count,
                "bytes": last.bytes,
                "size": len(last.payload),
                "retained": last.retained,
            }
            for name, sink in sinks.items()
            if isinstance(sink, Publishing)
            for topic, last in sink.seen.topics()
            if all(word in topic.lower() for word in words)
        ]
        return {"total": len(found), "topics": found[:MOST_SHOWN]}

    async def message(asked: Mapping[str, Any]) -> dict[str, Any]:
        sink = sinks.get(str(asked.get("sink")))
        if not isinstance(sink, Publishing):
            return {}
        topic = str(asked.get("topic"))
        node = _births_of(topic)
        births = [
            b64encode(last.payload).decode()
            for each, last in sink.seen.topics()
            if node and each.startswith(node) and last.payload
        ]
        last = sink.seen.get(topic)
        return {} if last is None else {"payload": b64encode(last.payload).decode(), "births": births}

    return {"topics": topics, "message": message}


def _births_of(topic: str) -> tuple[str, ...]:
    """Return how topics begin that tell the names of a Sparkplug message's aliases; none for other topics."""
    levels = topic.split("/")
    for i, level in enumerate(levels[:-1]):
        if level in ("NDATA", "DDATA") and i + 1 < len(levels):
            group, node = "/".join(levels[:i]), levels[i + 1]
            return tuple(f"{group}/{birth}/{node}" for birth in ("NBIRTH", "DBIRTH"))
    return ()
