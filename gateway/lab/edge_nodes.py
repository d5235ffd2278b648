"""Sparkplug B edge nodes that publish on a broker, and everything a host must come through.

Each node has metrics of its own and devices; what they say changes with every message. A second node of the
same name says 777 of everything.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from gateway.lab import told
from gateway.lab.scenario import Fault, Moment, Scenario
from gateway.lab.sparkplug import EdgeNode, Message, is_rebirth_request
from gateway.lab.sparkplug_payload import Value
from gateway.lab.told import Told

OTHERS: Final = 777.0
_TWIN: Final[dict[str, Value]] = {"Energy": OTHERS, "Count": 777, "Running": True, "Power": OTHERS}
"""What a second node of the same name has, in another order: its aliases mean other metrics."""


class Node:
    """One edge node: what it says in order, and its twin, once there is one."""

    def __init__(self, group: str, name: str, devices: int) -> None:
        self.edge = EdgeNode(
            group, name, _metrics(), devices={f"d{i + 1}": _metrics() for i in range(devices)}
        )
        self.is_born = False
        self._twin = EdgeNode(group, name, dict(_TWIN))
        self._has_twin = False
        self._turn = 0

    def born(self, now: int) -> list[Message]:
        """Return the births of node and devices."""
        self.is_born = True
        return self.edge.births(now)

    def begin_again(self) -> None:
        """Begin another session, in which the aliases mean other metrics."""
        self.edge.bd_seq = (self.edge.bd_seq + 1) % 256
        self.edge.metrics = dict(reversed(self.edge.metrics.items()))
        self.edge.devices = {
            device: dict(reversed(held.items())) for device, held in self.edge.devices.items()
        }

    def again(self, now: int) -> list[Message]:
        """Begin another session; return its births."""
        self.begin_again()
        return self.born(now)

    def data(self, now: int, *, historical: bool = False) -> Message:
        """Return the next change, of the node and its devices in turn."""
        places = [None, *self.edge.devices]
        device = places[self._turn % len(places)]
        self._turn += 1
        held = self.edge.metrics if device is None else self.edge.devices[device]
        changed = _changed(held, self._turn)
        if device is None:
            return self.edge.data(changed, now, historical=historical)
        return self.edge.device_data(device, changed, now, historical=historical)

    def twin_born(self, now: int) -> list[Message]:
        """Return the births of the second node, where there is one."""
        return self._twin.births(now) if self._has_twin else []

    def twin(self, now: int) -> Message:
        """Return what a second node of the same name says: its birth first, then its data."""
        if not self._has_twin:
            self._has_twin = True
            return self._twin.birth(now)
        return self._twin.data({"Power": OTHERS, "Count": 777}, now)


def _metrics() -> dict[str, Value]:
    # The other way round two numbers of one type change places: nothing but the birth tells them apart.
    return {"Power": 42.5, "Running": True, "Count": 0, "Energy": 1000.0}


def _changed(held: Mapping[str, Value], turn: int) -> dict[str, Value]:
    energy, count = held["Energy"], held["Count"]
    grown = energy + 0.25 if isinstance(energy, float) else 0.0
    counted = count + 1 if isinstance(count, int) else 0
    return {"Power": 40.0 + turn % 20 / 4, "Energy": grown, "Running": turn % 50 < 45, "Count": counted}


Wrong = Callable[[Node, int], list[Message]]


def _before_birth(node: Node, now: int) -> list[Message]:
    """A session ends, the next one's data come before its birth."""
    death = node.edge.death(now)
    node.begin_again()
    return [death, node.data(now), *node.born(now)]


def _unknown_alias(node: Node, now: int) -> list[Message]:
    return [node.edge.unknown_alias(now)]


def _gap(missing: int) -> Wrong:
    def wrong(node: Node, now: int) -> list[Message]:
        node.edge.skip(missing)
        return [node.data(now)]

    return wrong


def _swapped(node: Node, now: int) -> list[Message]:
    first, second = node.data(now), node.data(now)
    return [second, first]


def _duplicate(node: Node, now: int) -> list[Message]:
    return [node.data(now)] * 2


def _late_death(node: Node, now: int) -> list[Message]:
    return [*node.again(now), node.edge.late_death(now)]


def _early_death(node: Node, now: int) -> list[Message]:
    return [node.edge.early_death(now), *node.again(now)]


def _two_nodes(node: Node, now: int) -> list[Message]:
    return [node.data(now), node.twin(now)]


def _historical(age: float) -> Wrong:
    """Data the node had kept: flagged, and so many seconds old."""
    return lambda node, now: [node.data(now - round(1000 * age), historical=True)]


def _born_again(node: Node, now: int) -> list[Message]:
    return node.born(now)


def _device_death(node: Node, now: int) -> list[Message]:
    """Every device dies; a host has to see it, and the births behind it."""
    deaths = [node.edge.device_death(device, now) for device in node.edge.devices]
    return [*deaths, *(node.edge.device_birth(device, now) for device in node.edge.devices)]


def _not_protobuf(node: Node, now: int) -> list[Message]:
    topic, _payload = node.data(now)
    return [(topic, b'{"Power": 777}')]


def _half(node: Node, now: int) -> list[Message]:
    topic, payload = node.data(now)
    return [(topic, payload[: len(payload) // 2])]


def _as_ever(node: Node, now: int) -> list[Message]:
    return [node.data(now)]


FAULTS: Final[Mapping[str, Callable[[Told], Wrong]]] = {
    "data_before_birth": told.plain(_before_birth),
    "unknown_alias": told.plain(_unknown_alias),
    "gap": told.number(1, _gap),
    "swapped": told.plain(_swapped),
    "duplicate": told.plain(_duplicate),
    "late_death": told.plain(_late_death),
    "early_death": told.plain(_early_death),
    "two_nodes": told.plain(_two_nodes),
    "historical": told.seconds(3600.0, _historical, most=told.YEARS_S),
    "born_again": told.plain(_born_again),
    "device_death": told.plain(_device_death),
    "deaf": told.plain(_as_ever),
    "not_protobuf": told.plain(_not_protobuf),
    "half": told.plain(_half),
}
"""By the name a scenario calls it; `deaf` is about commands, see `Nodes.asked`."""


class Nodes:
    """Edge nodes that speak in turn; what they say now, and what goes wrong with it."""

    def __init__(self, scenario: Scenario, *, group: str = "lab", nodes: int = 2, devices: int = 1) -> None:
        self.said = 0
        self.rebirths = 0
        """Births that were asked for."""
        self.nodes = [Node(group, f"node{i + 1}", devices) for i in range(nodes)]
        self._scenario = scenario
        self._began = time.monotonic()

    def next(self, now_ms: int) -> list[Message]:
        """Return what is published next: a birth, a change of the next node, or what a fault makes of it."""
        place = self.said % len(self.nodes)
        self.said += 1
        node = self.nodes[place]
        if not node.is_born:
            return node.born(now_ms)
        fault = self._now(place)
        return [node.data(now_ms)] if fault is None else FAULTS[fault.fault](fault.value)(node, now_ms)

    def asked(self, topic: str, payload: bytes, now_ms: int) -> list[Message]:
        """Return the answer to a command: births, when it asks for them and the node is not deaf."""
        if not is_rebirth_request(payload):
            return []
        self.rebirths += 1
        name = topic.rpartition("/")[2]
        for place, node in enumerate(self.nodes):
            fault = self._now(place)
            if node.edge.node == name and (fault is None or fault.fault != "deaf"):
                both = fault is not None and fault.fault == "two_nodes"
                return [*node.born(now_ms), *(node.twin_born(now_ms) if both else ())]
        return []

    def _now(self, place: int) -> Fault | None:
        return self._scenario.at(Moment(self.said, time.monotonic() - self._began, place + 1))


async def publish(nodes: Nodes, host: str, port: int, rate: float) -> None:
    """Publish `rate` messages a second until cancelled, then the deaths; OSError: there is no broker."""
    loop = asyncio.get_running_loop()
    clients = [_client(nodes, node, loop) for node in nodes.nodes]
    by_name = {node.edge.node: client for node, client in zip(nodes.nodes, clients, strict=True)}
    began = loop.time()
    try:
        for client in clients:
            await asyncio.to_thread(client.connect, host, port)
            client.loop_start()
        while True:
            for topic, payload in nodes.next(_now_ms()):
                by_name[topic.split("/")[3]].publish(topic, payload)
            await asyncio.sleep(max(0.0, began + nodes.said / rate - loop.time()))
    finally:
        for node, client in zip(nodes.nodes, clients, strict=True):
            if client.is_connected():
                client.publish(*node.edge.death(_now_ms()))
            client.disconnect()
            client.loop_stop()


def _client(nodes: Nodes, node: Node, loop: asyncio.AbstractEventLoop) -> Client:
    """Return a node's client: its death is its will, commands are heard in the loop."""
    commands = f"spBv1.0/{node.edge.group}/NCMD/{node.edge.node}"
    client = Client(CallbackAPIVersion.VERSION2)

    def answer(topic: str, payload: bytes) -> None:
        for said in nodes.asked(topic, payload, _now_ms()):
            client.publish(*said)

    def heard(_client: Client, _data: object, message: MQTTMessage) -> None:
        loop.call_soon_threadsafe(answer, message.topic, bytes(message.payload))

    def connected(*_: object) -> None:
        client.subscribe(commands, 1)

    client.will_set(*node.edge.death(_now_ms()), qos=1)
    client.on_message = heard
    client.on_connect = connected
    return client


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
