"""The plant file's reference page, written from the models: `docs/reference/plant-file.md`."""

import json
from collections.abc import Iterator
from typing import Any, Final

from config.schema import plant_schema

_ORDER: Final = (
    ("Plant", "The file itself"),
    ("Gateway", "gateway"),
    ("ModbusTcpSource", "sources.<name>, kind: modbus_tcp"),
    ("ModbusSerialSource", "sources.<name>, kind: modbus_serial"),
    ("ModbusDevice", "sources.<name>.devices.<name>, modbus"),
    ("ModbusTag", "sources.<name>.devices.<name>.tags.<name>, modbus"),
    ("Dlt645Source", "sources.<name>, kind: dlt645"),
    ("Dlt645Device", "sources.<name>.devices.<name>, dlt645"),
    ("Dlt645Tag", "sources.<name>.devices.<name>.tags.<name>, dlt645"),
    ("Cjt188Source", "sources.<name>, kind: cjt188"),
    ("Cjt188Device", "sources.<name>.devices.<name>, cjt188"),
    ("Cjt188Tag", "sources.<name>.devices.<name>.tags.<name>, cjt188"),
    ("OpcUaSource", "sources.<name>, kind: opcua"),
    ("OpcUaSecurity", "sources.<name>.security, opcua"),
    ("OpcUaUser", "sources.<name>.user, opcua"),
    ("OpcUaDevice", "sources.<name>.devices.<name>, opcua"),
    ("OpcUaTag", "sources.<name>.devices.<name>.tags.<name>, opcua"),
    ("OpcUaNodes", "sources.<name>.devices.<name>.nodes[], opcua"),
    ("MqttSource", "sources.<name>, kind: mqtt"),
    ("MqttMessages", "sources.<name>.messages[]"),
    ("MessageTime", "sources.<name>.messages[].time"),
    ("MqttTag", "sources.<name>.messages[].tags.<name>"),
    ("SparkplugSource", "sources.<name>, kind: sparkplug"),
    ("SparkplugNodes", "sources.<name>.nodes[]"),
    ("SparkplugTag", "sources.<name>.nodes[].tags.<name>"),
    ("SimulatedSource", "sources.<name>, kind: simulated"),
    ("SimulatedDevice", "sources.<name>.devices.<name>, simulated"),
    ("SimulatedTag", "sources.<name>.devices.<name>.tags.<name>, simulated"),
    ("Limits", "… .limits"),
    ("DerivedDevice", "derived.<name>"),
    ("DerivedTag", "derived.<name>.tags.<name>"),
    ("MqttSink", "sinks.<name>, kind: mqtt"),
    ("JsonForm", "sinks.<name>.format, kind: json"),
    ("ValuesForm", "sinks.<name>.format, kind: values"),
    ("PerTagForm", "sinks.<name>.format, kind: per_tag"),
    ("TemplateForm", "sinks.<name>.format, kind: template"),
    ("ThingsBoardForm", "sinks.<name>.format, kind: thingsboard"),
    ("HuaweiForm", "sinks.<name>.format, kind: huawei_iotda"),
    ("HuaweiDevice", "sinks.<name>.format.devices.<path>, kind: huawei_iotda"),
    ("AliyunForm", "sinks.<name>.format, kind: aliyun"),
    ("AliyunDevice", "sinks.<name>.format.devices.<path>, kind: aliyun"),
    ("OneNetForm", "sinks.<name>.format, kind: onenet"),
    ("OneNetDevice", "sinks.<name>.format.devices.<path>, kind: onenet"),
    ("InfluxDbSink", "sinks.<name>, kind: influxdb"),
    ("SparkplugSink", "sinks.<name>, kind: sparkplug"),
    ("Tls", "sinks.<name>.tls"),
    ("Proxy", "sinks.<name>.proxy, sources.<name>.proxy, alarms.webhooks.<name>.proxy"),
    ("SelectRule", "sinks.<name>.select[], history.select[]"),
    ("BufferOptions", "buffer"),
    ("HistoryOptions", "history"),
    ("PageOptions", "page"),
    ("EnergyOptions", "energy"),
    ("MeterOptions", "energy.meters.<name>"),
    ("Ratio", "energy.meters.<name>.ratios[]"),
    ("Swap", "energy.meters.<name>.swaps[]"),
    ("Shift", "energy.shifts.<name>"),
    ("Break", "energy.shifts.<name>.breaks[]"),
    ("Billing", "energy.billing"),
    ("Demand", "energy.demand"),
    ("Identifiers", "energy.identifiers"),
    ("Supply", "tariff[]"),
    ("Contract", "tariff[].contract"),
    ("Prices", "tariff[].standing, tariff[].prices.<month>"),
    ("CalendarOptions", "calendar"),
    ("CarbonOptions", "carbon"),
    ("GridPick", "carbon.electricity[], carbon.residual[], carbon.footprint[]"),
    ("PrimaryPick", "carbon.primary[]"),
    ("HeatPick", "carbon.heat[]"),
    ("MediumPick", "carbon.media.<name>[]"),
    ("SteamState", "carbon.media.<name>[].steam"),
    ("GreenContract", "carbon.contracts[]"),
    ("Upstream", "carbon.upstream.<product>"),
)


_OPENING: Final = """\
# The plant file

Written by `make docs` from the models in `config/`. `wanglian schema` prints the same for editors.

Durations are written `500ms`, `1.5s`, `15min`, `24h`, `7d`; sizes `64MiB`, `10GB`. `${env:NAME}` and
`${file:path}` may stand for any value and must for secrets. A device named `meter_{1..100}` is a hundred
devices, whose `unit_id` (or meter address) counts up from the one written. true and false
are the only truth values; there are no anchors."""
_WORDS: Final = {"object": "mapping", "array": "list", "string": "text", "integer": "whole number"}
_FORMATS: Final = {"duration_text": "duration", "size_text": "size"}


def manual() -> str:
    """Return the page: a section per model, a row per key."""
    schema = plant_schema()
    models = {"Plant": schema, **schema["$defs"]}
    lines = [_OPENING]
    for name, where in _ORDER:
        model = models[name]
        lines += ["", f"## {where}", "", " ".join(model.get("description", "").split()), ""]
        lines += ["| key | value | default | meaning |", "|---|---|---|---|", *_rows(model)]
    return "\n".join(lines) + "\n"


def _rows(model: dict[str, Any]) -> Iterator[str]:
    required = model.get("required", ())
    for key, value in model["properties"].items():
        default = "required" if key in required else _default(value)
        meaning = " ".join(value.get("description", "").split())
        yield f"| `{key}` | {_kind(value)} | {default} | {meaning} |"


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    if default in (None, {}, []) or isinstance(default, dict):
        return ""
    return f"`{json.dumps(default, ensure_ascii=False)}`"


def _kind(value: dict[str, Any]) -> str:
    """Return what may be written, in a few words."""
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return "" if name == "Reference" else dict(_ORDER).get(name, name)
    for joined in ("anyOf", "oneOf", "allOf"):
        if joined in value:
            kinds = [_kind(each) for each in value[joined] if each.get("type") != "null"]
            return " or ".join(dict.fromkeys(kind for kind in kinds if kind))
    return _FORMATS.get(value.get("format", ""), _plain(value))


def _plain(value: dict[str, Any]) -> str:
    kind = _WORDS.get(value.get("type", ""), value.get("type", ""))
    low, high = value.get("minimum"), value.get("maximum")
    if low is None:
        return str(kind)
    return f"{kind}, at least {low}" if high is None else f"{kind}, {low} to {high}"


if __name__ == "__main__":
    import sys

    sys.stdout.write(manual())
