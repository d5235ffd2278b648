"""Sparkplug's topics (specification 4): spBv1.0/<group>/<type>/<node>[/<device>] and spBv1.0/STATE/<host>."""

from typing import Final, NamedTuple

NAMESPACE: Final = "spBv1.0"
OF_NODES: Final = ("NBIRTH", "NDATA", "NDEATH")
OF_DEVICES: Final = ("DBIRTH", "DDATA", "DDEATH")
"""What an edge node publishes; commands go the other way."""


class Address(NamedTuple):
    """Where a message comes from."""

    kind: str
    """One of the six types."""
    group: str
    node: str
    device: str
    """Empty for the node itself."""


def parse_topic(topic: str) -> Address | None:
    """Return where a message of an edge node comes from; None when it is none."""
    levels = topic.split("/")
    if levels[0] != NAMESPACE or not all(levels):
        return None
    if len(levels) == 4 and levels[2] in OF_NODES:
        return Address(levels[2], levels[1], levels[3], "")
    if len(levels) == 5 and levels[2] in OF_DEVICES:
        return Address(levels[2], levels[1], levels[3], levels[4])
    return None


def filters(group: str, node: str) -> list[str]:
    """Return what to subscribe to for these ids, ``+`` being any: never a command.

    All devices of a node count in one sequence, so all are heard.
    """
    return [
        *(f"{NAMESPACE}/{group}/{kind}/{node}" for kind in OF_NODES),
        *(f"{NAMESPACE}/{group}/{kind}/{node}/+" for kind in OF_DEVICES),
    ]


def state_topic(host_id: str) -> str:
    """Return where a host application tells whether it is there."""
    return f"{NAMESPACE}/STATE/{host_id}"


def command_topic(group: str, node: str) -> str:
    """Return where an edge node takes commands."""
    return edge_topic(group, "NCMD", node)


def edge_topic(group: str, kind: str, node: str, device: str = "") -> str:
    """Return where a message of a node, or of one of its devices, goes."""
    topic = f"{NAMESPACE}/{group}/{kind}/{node}"
    return f"{topic}/{device}" if device else topic
