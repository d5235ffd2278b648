"""What Sparkplug B 3.0 asks of an edge node, each rule as a question to a conversation.

The keys are those of docs/reference/sparkplug-conformance.md, in its order.
"""

import re
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tests.faults.sparkplug.conversation import Conversation, Said
from tests.servers.mqtt_tap import Publish
from tests.verify.sparkplug import BOOLEAN, INT64, value_of

Check = Callable[[Conversation], bool]
REBIRTH = "Node Control/Rebirth"
TYPES = {*range(1, 20), *range(22, 35)}
BIRTHS, DATA = ("NBIRTH", "DBIRTH"), ("NDATA", "DDATA")


def every(*kinds: str, holds: Callable[[Said], bool]) -> Check:
    """Return a check of each message of these types; there must be some."""
    return lambda talk: bool(talk.of(*kinds)) and all(holds(each) for each in talk.of(*kinds))


def every_metric(*kinds: str, holds: Callable[[Any], bool]) -> Check:
    """Return a check of each metric in messages of these types; there must be some."""
    return lambda talk: any(talk.metrics(*kinds)) and all(holds(each) for each in talk.metrics(*kinds))


def topic(kind: str) -> Check:
    tail = "/[^/+#]+" if kind[0] == "D" else ""
    form = re.compile(rf"spBv1\.0/g/{kind}/node{tail}")
    return every(kind, holds=lambda each: form.fullmatch(each.sent.topic) is not None)


def qos(kind: str, number: int = 0) -> Check:
    return every(kind, holds=lambda each: each.sent.qos == number)


def not_retained(kind: str) -> Check:
    return every(kind, holds=lambda each: not each.sent.retain)


def both(*checks: Check) -> Check:
    return lambda talk: all(check(talk) for check in checks)


def dated(kind: str) -> Check:
    """The time is the one at which it was sent: ten minutes from now at most."""
    return every(kind, holds=lambda each: abs(each.said.timestamp - time.time() * 1000) < 600_000)


def numbered(kind: str) -> Check:
    return every(kind, holds=lambda each: each.said.HasField("seq"))


def in_sequence(*kinds: str) -> Check:
    """Each of these types has the number behind that of the message before it."""

    def holds(talk: Conversation) -> bool:
        pairs = [pair for session in talk.sessions for pair in pairwise(session.numbered)]
        found = [(a, b) for a, b in pairs if b.kind in kinds]
        return bool(found) and all(b.said.seq == (a.said.seq + 1) % 256 for a, b in found)

    return holds


def wraps(talk: Conversation) -> bool:
    pairs = [pair for session in talk.sessions for pair in pairwise(session.numbered)]
    return any((a.said.seq, b.said.seq, b.kind) == (255, 0, "DDATA") for a, b in pairs)


def bd_seq(said: Any) -> int:
    (found,) = [metric.v_u64 for metric in said.metrics if metric.name == "bdSeq"]
    return int(found)


def birth_says_the_wills_number(talk: Conversation) -> bool:
    return all(
        bd_seq(birth.said) == bd_seq(Said.of(_will(session)).said)
        for session in talk.sessions
        for birth in session.of("NBIRTH")
    )


def _will(session: Any) -> Any:
    connect = session.connect

    return Publish(connect.will_topic, connect.will_payload, connect.will_qos, connect.will_retain, 0.0)


def of_will(holds: Callable[[Any, Said], bool]) -> Check:
    return lambda talk: all(holds(each.connect, Said.of(_will(each))) for each in talk.sessions)


def numbers_of_connections(talk: Conversation) -> bool:
    return [bd_seq(Said.of(_will(each)).said) for each in talk.sessions] == [0, 1, 2]


def rebirth_metric(holds: Callable[[Any], bool]) -> Check:
    def check(talk: Conversation) -> bool:
        found = [[m for m in each.said.metrics if m.name == REBIRTH] for each in talk.of("NBIRTH")]
        return bool(found) and all(len(metrics) == 1 and holds(metrics[0]) for metrics in found)

    return check


def complete(metric: Any) -> bool:
    has_value = value_of(metric, metric.datatype) is not None
    return metric.HasField("name") and metric.HasField("datatype") and has_value != metric.is_null


def all_are_named(talk: Conversation) -> bool:
    """Every alias in data was named by the newest birth of its device."""
    for session in talk.sessions:
        named: dict[str, set[int]] = {}
        for each in session.messages:
            if each.kind == "NBIRTH":
                named.clear()
            elif each.kind == "DBIRTH":
                named[each.device] = {metric.alias for metric in each.said.metrics}
            elif each.kind == "DDATA" and not {m.alias for m in each.said.metrics} <= named.get(
                each.device, set()
            ):
                return False
    return True


def births_come_first(talk: Conversation) -> bool:
    return all(session.messages[0].kind == "NBIRTH" for session in talk.sessions)


def devices_are_born_behind_the_node(talk: Conversation) -> bool:
    """Those that are there, at once; one that comes later is born later, and before its data."""
    for session in talk.sessions:
        kinds = [each.kind for each in session.messages if each.kind]
        for i, kind in enumerate(kinds):
            if kind == "NBIRTH" and kinds[i + 1 : i + 3] != ["DBIRTH", "DBIRTH"]:
                return False
    return all_are_named(talk)


def aliases_are_one(talk: Conversation) -> bool:
    for session in talk.sessions:
        born: dict[str, list[int]] = {}
        for each in session.of(*BIRTHS):
            if each.kind == "NBIRTH":
                born.clear()
            born[each.device] = [m.alias for m in each.said.metrics if m.HasField("alias")]
            flat = [alias for aliases in born.values() for alias in aliases]
            if len(flat) != len(set(flat)):
                return False
    return True


def in_order(talk: Conversation) -> bool:
    """What is not historical never goes back in time, metric by metric."""
    for session in talk.sessions:
        newest: dict[int, int] = {}
        for each in session.of("DBIRTH", "DDATA"):
            for metric in each.said.metrics:
                if metric.is_historical or metric.is_null:
                    continue
                if metric.timestamp < newest.get(metric.alias, 0):
                    return False
                newest[metric.alias] = metric.timestamp
    return any(metric.is_historical for metric in talk.metrics("DDATA"))


def the_nodes_are_in_order(talk: Conversation) -> bool:
    """What the node says of itself never goes back in time."""
    times = [
        [m.timestamp for each in s.of("NBIRTH", "NDATA") for m in each.said.metrics] for s in talk.sessions
    ]
    return bool(talk.of("NDATA")) and all(each == sorted(each) for each in times)


def a_command_is_answered(talk: Conversation) -> bool:
    """No data between the request and the whole birth; then they go on."""
    asked, answered = talk.commanded
    between = [Said.of(each).kind for each in [m.sent for m in talk.messages][asked:answered]]
    return [kind for kind in between if kind] == ["NBIRTH", "DBIRTH", "DBIRTH", "DDATA"]


def dies_before_it_leaves(talk: Conversation) -> bool:
    """The first session ends with its host, the third by a stop; the second is cut off."""
    first, second, third = talk.sessions
    return (
        all(each.messages[-1].kind == "NDEATH" and each.disconnect is not None for each in (first, third))
        and second.disconnect is None
    )


def disconnects_with_will(talk: Conversation) -> bool:
    reasons = [each.disconnect.reason for each in talk.sessions if each.disconnect is not None]
    return len(reasons) == 2 and all(reason == 4 or talk.sessions[0].connect.level == 4 for reason in reasons)


def a_device_dies_and_is_born(talk: Conversation) -> bool:
    story = [each.kind for each in talk.sessions[0].messages if each.device == "n"]
    return story[:5] == ["DBIRTH", "DDATA", "DDATA", "DDEATH", "DBIRTH"]


def subscribes(talk: Conversation, to: str) -> bool:
    return all(each.subscribe is not None and (to, 1) in each.subscribe.filters for each in talk.sessions)


def waits(talk: Conversation) -> bool:
    return talk.before_online == 0 and bool(talk.of("NBIRTH"))


def host_gone(talk: Conversation) -> bool:
    return len(talk.sessions) == 3 and dies_before_it_leaves(talk)


def lists_are_equal(metric: Any) -> bool:
    return len(metric.properties.keys) == len(metric.properties.values)


def qualities(talk: Conversation) -> list[Any]:
    return [
        value
        for metric in talk.metrics("DBIRTH", "DDATA")
        for key, value in zip(metric.properties.keys, metric.properties.values, strict=True)
        if key == "Quality"
    ]


def typed(holds: Callable[[Any], bool]) -> Check:
    def check(talk: Conversation) -> bool:
        found = [value for metric in talk.metrics(*BIRTHS) for value in metric.properties.values]
        return bool(found) and all(map(holds, found))

    return check


def is_valid(text: str) -> bool:
    return bool(text) and not set("+/#") & set(text) and text == text.encode().decode()


def ids(place: int) -> Check:
    def check(talk: Conversation) -> bool:
        levels = [each.sent.topic.split("/") for each in talk.messages if each.kind]
        return all(is_valid(each[place]) for each in levels if len(each) > place)

    return check


def only_the_number(talk: Conversation) -> bool:
    return of_will(lambda _, said: [m.name for m in said.said.metrics] == ["bdSeq"])(talk)


def in_utc(metric: Any) -> bool:
    return abs(metric.timestamp - 1_790_000_000_000) < 10**12


HAS_NUMBER = both(*(numbered(kind) for kind in ("NBIRTH", "DBIRTH", "DDATA", "DDEATH")))
PROTOBUF = every(*BIRTHS, holds=lambda each: bool(each.said.metrics))
CHECKS: dict[str, Check] = {
    "intro-group-id-string": ids(1),
    "intro-group-id-chars": ids(1),
    "intro-edge-node-id-string": ids(3),
    "intro-edge-node-id-chars": ids(3),
    "intro-device-id-string": ids(4),
    "intro-device-id-chars": ids(4),
    "principles-birth-certificates-order": births_come_first,
    "principles-persistence-clean-session-311": lambda t: all(s.connect.is_clean for s in t.sessions),
    "principles-persistence-clean-session-50": lambda t: all(
        s.connect.is_clean and not s.connect.expiry for s in t.sessions
    ),
    "topic-structure": both(*(topic(kind) for kind in ("NBIRTH", "NDEATH", "DBIRTH", "DDATA", "DDEATH"))),
    "topic-structure-namespace-a": every(*BIRTHS, holds=lambda each: each.sent.topic.startswith("spBv1.0/")),
    "topic-structure-namespace-valid-group-id": ids(1),
    "topic-structure-namespace-valid-edge-node-id": ids(3),
    "topic-structure-namespace-valid-device-id": ids(4),
    "topic-structure-namespace-unique-device-id": lambda t: {e.device for e in t.of("DBIRTH")} == {"m", "n"},
    "topic-structure-namespace-device-id-associated-message-types": every(
        "DBIRTH", "DDATA", "DDEATH", holds=lambda each: bool(each.device)
    ),
    "topic-structure-namespace-device-id-non-associated-message-types": every(
        "NBIRTH", "NDEATH", holds=lambda each: not each.device
    ),
    "topics-nbirth-topic": topic("NBIRTH"),
    "topics-nbirth-mqtt": both(qos("NBIRTH"), not_retained("NBIRTH")),
    "topics-nbirth-seq-num": every("NBIRTH", holds=lambda each: each.said.seq == 0),
    "topics-nbirth-timestamp": dated("NBIRTH"),
    "topics-nbirth-metric-reqs": all_are_named,
    "topics-nbirth-metrics": every_metric("NBIRTH", holds=complete),
    "topics-nbirth-bdseq-included": every("NBIRTH", holds=lambda each: bd_seq(each.said) >= 0),
    "topics-nbirth-bdseq-matching": birth_says_the_wills_number,
    "topics-nbirth-bdseq-increment": numbers_of_connections,
    "topics-nbirth-rebirth-metric": rebirth_metric(lambda m: m.datatype == BOOLEAN and not m.v_bool),
    "topics-ndeath-topic": topic("NDEATH"),
    "topics-ndeath-payload": only_the_number,
    "topics-ndeath-seq": of_will(lambda _, said: not said.said.HasField("seq")),
    "topics-dbirth-topic": topic("DBIRTH"),
    "topics-dbirth-mqtt": both(qos("DBIRTH"), not_retained("DBIRTH")),
    "topics-dbirth-seq": in_sequence("DBIRTH"),
    "topics-dbirth-timestamp": dated("DBIRTH"),
    "topics-dbirth-metric-reqs": all_are_named,
    "topics-dbirth-metrics": every_metric("DBIRTH", holds=complete),
    "topics-ndata-topic": topic("NDATA"),
    "topics-ndata-mqtt": both(qos("NDATA"), not_retained("NDATA")),
    "topics-ndata-seq-num": in_sequence("NDATA"),
    "topics-ndata-timestamp": dated("NDATA"),
    "topics-ndata-payload": every("NDATA", holds=lambda each: bool(each.said.metrics)),
    "topics-ddata-topic": topic("DDATA"),
    "topics-ddata-mqtt": both(qos("DDATA"), not_retained("DDATA")),
    "topics-ddata-seq-num": both(in_sequence("DDATA"), wraps),
    "topics-ddata-timestamp": dated("DDATA"),
    "topics-ddata-payload": every("DDATA", holds=lambda each: bool(each.said.metrics)),
    "topics-ddeath-topic": topic("DDEATH"),
    "topics-ddeath-mqtt": both(qos("DDEATH"), not_retained("DDEATH")),
    "topics-ddeath-seq-num": in_sequence("DDEATH"),
    "message-flow-edge-node-ncmd-subscribe": lambda t: subscribes(t, "spBv1.0/g/NCMD/node"),
    "message-flow-edge-node-birth-publish-connect": births_come_first,
    "message-flow-edge-node-birth-publish-will-message": of_will(lambda c, _: bool(c.will_topic)),
    "message-flow-edge-node-birth-publish-will-message-topic": of_will(
        lambda c, _: c.will_topic == "spBv1.0/g/NDEATH/node"
    ),
    "message-flow-edge-node-birth-publish-will-message-payload": only_the_number,
    "message-flow-edge-node-birth-publish-will-message-payload-bdSeq": both(
        of_will(lambda _, said: said.said.metrics[0].datatype == INT64), numbers_of_connections
    ),
    "message-flow-edge-node-birth-publish-will-message-qos": of_will(lambda c, _: c.will_qos == 1),
    "message-flow-edge-node-birth-publish-will-message-will-retained": of_will(
        lambda c, _: not c.will_retain
    ),
    "message-flow-edge-node-birth-publish-phid-wait": waits,
    "message-flow-edge-node-birth-publish-phid-wait-id": waits,
    "message-flow-edge-node-birth-publish-phid-wait-online": waits,
    "message-flow-edge-node-birth-publish-phid-wait-timestamp": lambda t: t.after_old_offline,
    "message-flow-edge-node-birth-publish-nbirth-topic": topic("NBIRTH"),
    "message-flow-edge-node-birth-publish-nbirth-payload": PROTOBUF,
    "message-flow-edge-node-birth-publish-nbirth-payload-bdSeq": birth_says_the_wills_number,
    "message-flow-edge-node-birth-publish-nbirth-qos": qos("NBIRTH"),
    "message-flow-edge-node-birth-publish-nbirth-retained": not_retained("NBIRTH"),
    "message-flow-edge-node-birth-publish-nbirth-payload-seq": every(
        "NBIRTH", holds=lambda each: each.said.seq == 0
    ),
    "message-flow-edge-node-birth-publish-phid-offline": host_gone,
    "message-flow-device-birth-publish-nbirth-wait": devices_are_born_behind_the_node,
    "message-flow-device-birth-publish-dbirth-topic": topic("DBIRTH"),
    "message-flow-device-birth-publish-dbirth-match-edge-node-topic": both(topic("NBIRTH"), topic("DBIRTH")),
    "message-flow-device-birth-publish-dbirth-payload": PROTOBUF,
    "message-flow-device-birth-publish-dbirth-qos": qos("DBIRTH"),
    "message-flow-device-birth-publish-dbirth-retained": not_retained("DBIRTH"),
    "message-flow-device-birth-publish-dbirth-payload-seq": in_sequence("DBIRTH"),
    "operational-behavior-edge-node-intentional-disconnect-ndeath": dies_before_it_leaves,
    "operational-behavior-edge-node-intentional-disconnect-packet": dies_before_it_leaves,
    "operational-behavior-edge-node-termination-host-offline": host_gone,
    "operational-behavior-edge-node-termination-host-offline-reconnect": lambda t: len(t.sessions) == 3,
    "operational-behavior-edge-node-termination-host-offline-timestamp": lambda t: t.after_old_offline,
    "operational-behavior-device-ddeath": a_device_dies_and_is_born,
    "operational-behavior-edge-node-birth-sequence-wait": waits,
    "operational-behavior-data-publish-nbirth": all_are_named,
    "operational-behavior-data-publish-nbirth-values": every_metric("NBIRTH", holds=complete),
    "operational-behavior-data-publish-nbirth-order": the_nodes_are_in_order,
    "operational-behavior-data-publish-dbirth": all_are_named,
    "operational-behavior-data-publish-dbirth-values": every_metric("DBIRTH", holds=complete),
    "operational-behavior-data-publish-dbirth-order": in_order,
    "operational-behavior-data-commands-rebirth-name": rebirth_metric(lambda _: True),
    "operational-behavior-data-commands-rebirth-name-aliases": rebirth_metric(
        lambda m: not m.HasField("alias")
    ),
    "operational-behavior-data-commands-rebirth-datatype": rebirth_metric(lambda m: m.datatype == BOOLEAN),
    "operational-behavior-data-commands-rebirth-value": rebirth_metric(
        lambda m: m.HasField("v_bool") and not m.v_bool
    ),
    "operational-behavior-data-commands-rebirth-action-1": a_command_is_answered,
    "operational-behavior-data-commands-rebirth-action-2": a_command_is_answered,
    "operational-behavior-data-commands-rebirth-action-3": birth_says_the_wills_number,
    "payloads-timestamp-in-UTC": both(*(dated(kind) for kind in ("NBIRTH", "DBIRTH", "DDATA", "DDEATH"))),
    "payloads-sequence-num-always-included": HAS_NUMBER,
    "payloads-sequence-num-zero-nbirth": every("NBIRTH", holds=lambda each: each.said.seq == 0),
    "payloads-sequence-num-incrementing": both(in_sequence("DBIRTH", "DDATA", "DDEATH"), wraps),
    "payloads-name-requirement": every_metric(*BIRTHS, holds=lambda m: m.HasField("name")),
    "payloads-alias-uniqueness": aliases_are_one,
    "payloads-alias-birth-requirement": every_metric(
        *BIRTHS, holds=lambda m: m.HasField("name") and (m.HasField("alias") or m.name == REBIRTH)
    ),
    "payloads-alias-data-cmd-requirement": every_metric(
        *DATA, holds=lambda m: m.HasField("alias") and not m.HasField("name")
    ),
    "payloads-name-birth-data-requirement": every_metric(
        *BIRTHS, *DATA, holds=lambda m: m.HasField("timestamp")
    ),
    "payloads-metric-timestamp-in-UTC": every_metric(*BIRTHS, *DATA, holds=in_utc),
    "payloads-metric-datatype-value-type": every_metric(*BIRTHS, holds=lambda m: 0 <= m.datatype < 2**32),
    "payloads-metric-datatype-value": every_metric(*BIRTHS, holds=lambda m: m.datatype in TYPES),
    "payloads-metric-datatype-req": every_metric(*BIRTHS, holds=lambda m: m.HasField("datatype")),
    "payloads-metric-datatype-not-req": every_metric(*DATA, holds=lambda m: not m.HasField("datatype")),
    "payloads-propertyset-keys-array-size": every_metric(*BIRTHS, *DATA, holds=lists_are_equal),
    "payloads-propertyset-values-array-size": every_metric(*BIRTHS, *DATA, holds=lists_are_equal),
    "payloads-metric-propertyvalue-type-type": typed(lambda value: 0 <= value.type < 2**32),
    "payloads-metric-propertyvalue-type-value": typed(lambda value: value.type in range(1, 16)),
    "payloads-metric-propertyvalue-type-req": typed(lambda value: value.HasField("type")),
    "payloads-propertyset-quality-value-type": lambda t: bool(qualities(t)) and all(
        q.type == 3 for q in qualities(t)
    ),
    "payloads-propertyset-quality-value-value": lambda t: {q.v_u32 for q in qualities(t)} == {0, 500},
    "payloads-nbirth-timestamp": dated("NBIRTH"),
    "payloads-nbirth-seq": every("NBIRTH", holds=lambda each: each.said.seq == 0),
    "payloads-nbirth-bdseq": every("NBIRTH", holds=lambda each: bd_seq(each.said) >= 0),
    "payloads-nbirth-bdseq-repeat": birth_says_the_wills_number,
    "payloads-nbirth-rebirth-req": rebirth_metric(lambda m: m.datatype == BOOLEAN and not m.v_bool),
    "payloads-nbirth-qos": qos("NBIRTH"),
    "payloads-nbirth-retain": not_retained("NBIRTH"),
    "payloads-dbirth-timestamp": dated("DBIRTH"),
    "payloads-dbirth-seq": numbered("DBIRTH"),
    "payloads-dbirth-seq-inc": in_sequence("DBIRTH"),
    "payloads-dbirth-order": devices_are_born_behind_the_node,
    "payloads-dbirth-qos": qos("DBIRTH"),
    "payloads-dbirth-retain": not_retained("DBIRTH"),
    "payloads-ndata-timestamp": dated("NDATA"),
    "payloads-ndata-seq": numbered("NDATA"),
    "payloads-ndata-seq-inc": in_sequence("NDATA"),
    "payloads-ndata-order": births_come_first,
    "payloads-ndata-qos": qos("NDATA"),
    "payloads-ndata-retain": not_retained("NDATA"),
    "payloads-ddata-timestamp": dated("DDATA"),
    "payloads-ddata-seq": numbered("DDATA"),
    "payloads-ddata-seq-inc": both(in_sequence("DDATA"), wraps),
    "payloads-ddata-order": devices_are_born_behind_the_node,
    "payloads-ddata-qos": qos("DDATA"),
    "payloads-ddata-retain": not_retained("DDATA"),
    "payloads-ndeath-seq": of_will(lambda _, said: not said.said.HasField("seq")),
    "payloads-ndeath-will-message": of_will(lambda _, said: said.kind == "NDEATH"),
    "payloads-ndeath-will-message-qos": both(of_will(lambda c, _: c.will_qos == 1), qos("NDEATH", 1)),
    "payloads-ndeath-will-message-retain": both(
        of_will(lambda c, _: not c.will_retain), not_retained("NDEATH")
    ),
    "payloads-ndeath-bdseq": birth_says_the_wills_number,
    "payloads-ndeath-will-message-publisher": dies_before_it_leaves,
    "payloads-ndeath-will-message-publisher-disconnect-mqtt311": dies_before_it_leaves,
    "payloads-ndeath-will-message-publisher-disconnect-mqtt50": disconnects_with_will,
    "payloads-ddeath-timestamp": dated("DDEATH"),
    "payloads-ddeath-seq": numbered("DDEATH"),
    "payloads-ddeath-seq-inc": in_sequence("DDEATH"),
    "payloads-ddeath-seq-number": in_sequence("DDEATH"),
}  # fmt: skip
"""By the specification's `tck-id-…`: what shows it."""
