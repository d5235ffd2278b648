"""What an edge node says, read by protobuf and by the rules of Sparkplug B 3.0; imports nothing of ours."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {"u32": 13, "u64": 4, "bool": 8, "f": 2, "d": 1, "s": 9}


def _payload() -> Any:
    """Return the message Payload, as far as an edge node of plain values needs it."""
    file = descriptor_pb2.FileDescriptorProto(name="verify.proto", package="verify", syntax="proto2")
    values = ["u32", "u64", "f", "d", "bool", "s"]
    messages = {
        "Value": [
            ("type", 1, "u32"), ("is_null", 2, "bool"), *((f"v_{k}", 3 + i, k) for i, k in enumerate(values)),
        ],
        "Set": [("keys", 1, "*s"), ("values", 2, "*Value")],
        "Metric": [
            ("name", 1, "s"), ("alias", 2, "u64"), ("timestamp", 3, "u64"), ("datatype", 4, "u32"),
            ("is_historical", 5, "bool"), ("is_null", 7, "bool"), ("properties", 9, "Set"),
            *((f"v_{k}", 10 + i, k) for i, k in enumerate(values)),
        ],
        "Payload": [("timestamp", 1, "u64"), ("metrics", 2, "*Metric"), ("seq", 3, "u64")],
    }  # fmt: skip
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind in fields:
            one = message.field.add(name=field_name, number=number)
            one.label = _Field.LABEL_REPEATED if kind.startswith("*") else _Field.LABEL_OPTIONAL
            single = kind.removeprefix("*")
            if single in _TYPES:
                one.type = _TYPES[single]
            else:
                one.type, one.type_name = _Field.TYPE_MESSAGE, f".verify.{single}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("verify.Payload"))


Payload = _payload()
INT64, UINT64, DOUBLE, BOOLEAN, STRING = 4, 8, 10, 11, 12


class Row(NamedTuple):
    """A value of a device's metric."""

    device: str
    metric: str
    ms: int
    value: Any
    """None where null."""
    quality: int
    historical: bool


class Born(NamedTuple):
    """What a birth says of a metric."""

    name: str
    datatype: int
    value: Any
    properties: dict[str, Any]
    ms: int


def value_of(metric: Any, datatype: int) -> Any:
    """Return the value as its data type has it; None where null."""
    set_fields = [name for name in ("v_u32", "v_u64", "v_f", "v_d", "v_bool", "v_s") if metric.HasField(name)]
    if metric.is_null or not set_fields:
        return None
    (name,) = set_fields
    value = getattr(metric, name)
    return value - 2**64 if datatype == INT64 and value >= 2**63 else value


def properties_of(metric: Any) -> dict[str, Any]:
    """Return a metric's properties by name."""
    found = {}
    for key, said in zip(metric.properties.keys, metric.properties.values, strict=True):
        (name,) = [name for name in ("v_u32", "v_u64", "v_f", "v_d", "v_bool", "v_s") if said.HasField(name)]
        found[key] = getattr(said, name)
    return found


@dataclass
class Follower:
    """A host that follows one edge node; what breaks a rule is written down."""

    violations: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    births: list[tuple[str, dict[int, Born]]] = field(default_factory=list)
    """Device (empty: the node) and what it has by alias, in order."""
    deaths: list[str] = field(default_factory=list)
    bd_seqs: list[int] = field(default_factory=list)
    """Of the node's births."""
    late_deaths: int = 0
    messages: int = 0
    gaps: list[Any] = field(default_factory=list)
    """The records the node has told, in order."""
    devices: dict[str, dict[int, Born]] = field(default_factory=dict)
    """Those that are alive."""
    is_online: bool = False
    _seq: int = -1
    _newest: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(self, topic: str, data: bytes) -> None:
        """Follow a message."""
        self.messages += 1
        _, _, kind, _, *rest = topic.split("/")
        device = rest[0] if rest else ""
        said = Payload.FromString(data)
        if kind == "NDEATH":
            self._death_of_node(said)
            return
        self._follow(kind, said)
        match kind:
            case "NBIRTH":
                self.devices.clear()
                self._newest.clear()
                self.is_online = True
                self._birth(device, said)
                self.bd_seqs += [m.v_u64 for m in said.metrics if m.name == "bdSeq"]
            case "DBIRTH":
                self._birth(device, said)
            case "DDEATH":
                self._must(device in self.devices, f"death of {device}, which is not born")
                self.devices.pop(device, None)
                self.deaths.append(device)
            case "DDATA":
                self._data(device, said)
            case "NDATA":
                self._gaps_of(said)

    def take_all(self, messages: Iterable[tuple[str, bytes]]) -> "Follower":
        """Follow messages; return itself."""
        for topic, data in messages:
            self.take(topic, data)
        return self

    def live(self, device: str, metric: str) -> list[Any]:
        """Return the values of a metric that were said to be of now."""
        return [row.value for row in self.rows if row[:2] == (device, metric) and not row.historical]

    def _follow(self, kind: str, said: Any) -> None:
        self._must(said.HasField("timestamp"), f"{kind} without a time")
        if kind == "NBIRTH":
            self._must(said.seq == 0, f"NBIRTH with seq {said.seq}")
        else:
            self._must(said.seq == (self._seq + 1) % 256, f"{kind} with seq {said.seq} behind {self._seq}")
            self._must(self.is_online, f"{kind} of a node that is not born")
        self._seq = said.seq

    def _death_of_node(self, said: Any) -> None:
        (metric,) = said.metrics
        self._must(not said.HasField("seq"), "NDEATH with a seq")
        if self.bd_seqs and metric.v_u64 == self.bd_seqs[-1] and self.is_online:
            self.is_online = False
            self.devices.clear()
            self.deaths.append("")
        else:
            self.late_deaths += 1

    def _birth(self, device: str, said: Any) -> None:
        found = {}
        for metric in said.metrics:
            self._must(metric.HasField("name"), f"birth of {device} with a metric without name")
            self._must(
                metric.HasField("timestamp") and metric.HasField("datatype"), f"{metric.name} incomplete"
            )
            has_value = value_of(metric, metric.datatype) is not None
            self._must(has_value != metric.is_null, f"{metric.name} has no value and is not null, or both")
            if metric.HasField("alias"):
                told = (value_of(metric, metric.datatype), properties_of(metric))
                self._must(metric.alias not in found, f"alias {metric.alias} twice")
                found[metric.alias] = Born(metric.name, metric.datatype, *told, metric.timestamp)
                self._newest[device, metric.name] = metric.timestamp if has_value else 0
        names = [metric.name for metric in said.metrics]
        self._must(len(names) == len(set(names)), f"a name of {device} twice")
        others = [alias for other, born in self.devices.items() if other != device for alias in born]
        self._must(not set(others) & set(found), "an alias of another device")
        self.births.append((device, found))
        if device:
            self.devices[device] = found

    def _gaps_of(self, said: Any) -> None:
        born = next(metrics for device, metrics in reversed(self.births) if not device)
        for metric in said.metrics:
            known = born.get(metric.alias)
            is_named = known is not None and known.name == "Properties/Gap"
            self._must(is_named and metric.HasField("timestamp"), f"alias {metric.alias} of the node")
            self.gaps.append(json.loads(metric.v_s))

    def _data(self, device: str, said: Any) -> None:
        born = self.devices.get(device)
        if born is None:
            self.violations.append(f"data of {device}, which is not born")
            return
        for metric in said.metrics:
            known = born.get(metric.alias)
            if known is None:
                self.violations.append(f"{device}: alias {metric.alias} was never named")
                continue
            self._must(not metric.HasField("name") and not metric.HasField("datatype"), "data with a name")
            self._must(metric.HasField("timestamp"), "data without a time")
            value = value_of(metric, known.datatype)
            quality = properties_of(metric).get("Quality", 192)
            row = Row(device, known.name, metric.timestamp, value, quality, metric.is_historical)
            self.rows.append(row)
            if not row.historical and value is not None:
                newest = self._newest.get(row[:2], 0)
                self._must(row.ms >= newest, f"{row} goes back behind {newest}")
                self._newest[row[:2]] = row.ms

    def _must(self, holds: bool, text: str) -> None:
        if not holds:
            self.violations.append(text)
