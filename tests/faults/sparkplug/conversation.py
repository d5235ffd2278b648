"""Everything an edge node sends in three sessions, from packets: what the rules of Sparkplug are about."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connectors import Kind
from gateway.supervise import LinkState
from tests.faults.sparkplug.edge import Edge, plant, until
from tests.servers.mqtt_tap import Connect, Disconnect, Packet, Publish, Subscribe
from tests.servers.sparkplug_host import Host
from tests.unit.ledger.news import Waiting, record
from tests.unit.sparkplug.edge.hosted import GONE
from tests.verify.sparkplug import Payload

STALE = 0x40900000


@dataclass
class Said:
    """One message of the node."""

    kind: str
    """NBIRTH …; empty for what is no Sparkplug."""
    device: str
    said: Any
    sent: Publish

    @classmethod
    def of(cls, sent: Publish) -> "Said":
        levels = sent.topic.split("/")
        if levels[0] != "spBv1.0":
            return cls("", "", None, sent)
        return cls(levels[2], levels[4] if len(levels) > 4 else "", Payload.FromString(sent.payload), sent)


@dataclass
class Session:
    """One connection."""

    connect: Connect
    subscribe: Subscribe | None = None
    messages: list[Said] = field(default_factory=list)
    disconnect: Disconnect | None = None

    @property
    def numbered(self) -> list[Said]:
        """What has a sequence number."""
        return [each for each in self.messages if each.kind not in ("", "NDEATH")]

    def of(self, *kinds: str) -> list[Said]:
        return [each for each in self.messages if each.kind in kinds]


@dataclass
class Conversation:
    """All of it."""

    sessions: list[Session]
    before_online: int
    """Messages sent while the host had said nothing, that it is offline, or what is no STATE of its own."""
    after_old_offline: bool
    """Whether the session lived on after an offline that was older than the online."""
    commanded: tuple[int, int]
    """How many messages there were when a rebirth was asked for, and when it was answered."""

    @property
    def messages(self) -> list[Said]:
        return [each for session in self.sessions for each in session.messages]

    def of(self, *kinds: str) -> list[Said]:
        return [each for each in self.messages if each.kind in kinds]

    def metrics(self, *kinds: str) -> Iterator[Any]:
        for each in self.of(*kinds):
            yield from each.said.metrics


def sessions_of(packets: list[Packet]) -> list[Session]:
    """Return the connections, one behind the other: an edge node never has two."""
    found: list[Session] = []
    for packet in packets:
        match packet:
            case Connect():
                found.append(Session(packet))
            case Subscribe():
                found[-1].subscribe = packet
            case Publish():
                found[-1].messages.append(Said.of(packet))
            case Disconnect():
                found[-1].disconnect = packet
    return found


async def _talk(folder: Path, version: str) -> Conversation:
    with plant(folder) as (broker, tap, host):
        gaps = Waiting(record(1), record(2))
        edge = Edge(tap.port, folder, gaps, version=version, primary_host="scada", rebirth="200ms")
        edge.made.announce("m/f", "m/g", "n/f")
        edge.made.announce("m/i", kind=Kind.INT64, unit="C62")
        edge.made.announce("m/u", kind=Kind.UINT64, unit="KWH")
        edge.made.announce("m/b", kind=Kind.BOOL, unit="C62")
        edge.made.announce("n/t", kind=Kind.TEXT, unit="C62")
        edge.made.delivery([("m/f", -2, 0.5, 0), ("n/f", -2, 0.25, 0)])
        async with edge.running():
            await until(lambda: any(isinstance(p, Subscribe) for p in tap.packets), "the subscription")
            for payload in (b"ONLINE", b'{"online": "true", "timestamp": 150}'):
                host.state(payload)
            host.state(online=False, at=100)
            with Host(broker.port, host_id="other") as other:
                other.state(at=900)
            host.command(b"\xff")
            await until(lambda: edge.sinks[0].statistics()["refused_commands"] == 1, "the hearing of all")
            before_online = len(tap.published())
            host.state(at=200)
            await edge.connected()
            await edge.read(
                ("m/f", 1, 1.5, 0), ("m/g", 1, 0.0, 0x80000000), ("n/f", 1, -1.0, STALE),
                ("m/i", 1, -5, 0), ("m/u", 1, -1, 0), ("m/b", 1, 1.0, 0), ("n/t", 1, "open", 0),
            )  # fmt: skip
            await edge.read_many([[("m/f", i, float(i), 0)] for i in range(2, 302)])
            await edge.read(("m/f", 1, 9.5, 0), historical=True)
            for quality in (GONE, GONE, 0):
                await edge.read(("n/f", 400, 1.0, quality), ("n/t", 400, "shut", quality))
            asked = len(tap.published())
            host.ask_rebirth()
            await until(lambda: sum("/NBIRTH/" in p.topic for p in tap.published()) == 2, "the rebirth")
            await edge.read(("m/f", 500, 5.0, 0))
            answered = len(tap.published())
            host.command(Payload(metrics=[{"name": "Outputs/1", "v_bool": True}]).SerializeToString())
            host.command(Payload(metrics=[{"alias": 2, "v_d": 1.0}]).SerializeToString(), device="m")
            first = edge.sinks[0]
            await until(lambda: first.statistics()["refused_commands"] == 3, "the refusal of both")
            host.state(online=False, at=150)
            await edge.read(("m/f", 501, 6.0, 0))
            lived = len(edge.sinks) == 1
            host.state(online=False, at=200)
            await until(lambda: len(edge.sinks) > 1, "the end of the session")
            host.state(at=300)
            await edge.connected()
            gaps.tell(record(1, end=9))
            await edge.read(("m/f", 502, 7.0, 0))
            tap.cut()
            await until(lambda: edge.link.state is not LinkState.CONNECTED, "the end of the cut session")
            host.state(at=400)
            await edge.connected()
            await edge.read(("m/f", 503, 8.0, 0))
        await until(lambda: isinstance(tap.packets[-1], Disconnect), "the goodbye")
        found = sessions_of(tap.packets)
    return Conversation(found, before_online, lived, (asked, answered))


def conversation(folder: Path, version: str) -> Conversation:
    """Have it."""
    return asyncio.run(_talk(folder, version))
