"""Platforms: has every device an identity there, and every tag a name? Does the connection meet the terms?"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from config.checks.sinks import Named, all_tags, matches
from config.checks.tls import is_this_machine
from config.connections import (
    AliyunForm,
    HuaweiForm,
    MqttSink,
    OneNetForm,
    OpcUaSource,
    OpenSource,
    PlatformForm,
    ThingsBoardForm,
)
from config.plant import Plant
from config.platform_names import RULES, is_legal, property_name
from config.problems import Problem, quote
from config.reading.document import Document, Path

_OURS: Final = (
    "username",
    "password",
    "client_id",
    "prefix",
    "gzip",
    "message_expiry",
    "user_properties",
    "identity",
)
"""What the platform's own sign-in, topics and messages leave no place for."""
_MOST_ALIYUN: Final = 2_000
"""Sub-devices online behind one gateway (help.aliyun.com, limits of gateways and sub-devices)."""
_LEAST_KEEPALIVE: Final = 30_000_000_000
_MOST_KEEPALIVE: Final = 1_200_000_000_000


def check_platforms(plant: Plant, document: Document, *, is_whole: bool) -> Iterator[Problem]:
    """Yield what would only be found out by a platform's refusal, or never."""
    gateways: dict[tuple[object, ...], str] = {}
    for name, sink in plant.sinks.items():
        if isinstance(sink, MqttSink) and isinstance(sink.format, PlatformForm):
            path = ("sinks", name)
            first = gateways.setdefault((sink.host.lower(), *_gateway(sink.format)), name)
            if first != name:
                yield document.problem("E-CF-0795", (*path, "format"), at_key=True, first=first)
            yield from _terms(sink, sink.format, document, path)
            selected = {
                each.device for each in all_tags(plant) if any(matches(rule, each) for rule in sink.select)
            }
            yield from _identities(sink.format, selected, document, path)
            yield from _names(sink, sink.format, plant, document, path)
            yield from _untold(sink, sink.format, plant, document, path)
            if is_whole and not isinstance(sink.format, ThingsBoardForm):
                yield from _missing(sink.format, selected, plant, document, path)


def _gateway(form: PlatformForm) -> tuple[str, ...]:
    """Return who the gateway itself is on the platform."""
    match form:
        case ThingsBoardForm():
            return (form.token.get_secret_value(),)
        case HuaweiForm():
            return (form.device_id,)
        case AliyunForm():
            return form.product_key, form.device_name
        case OneNetForm():
            return form.product_id, form.device_name
        case _:
            return ()


def _terms(sink: MqttSink, form: PlatformForm, document: Document, path: Path) -> Iterator[Problem]:
    platform = form.kind
    for field in _OURS:
        if field in sink.model_fields_set and not (field == "client_id" and platform == "thingsboard"):
            yield document.problem("E-CF-0780", (*path, field), at_key=True, field=field, platform=platform)
    if platform != "thingsboard" and sink.version != "3.1.1":
        yield document.problem("E-CF-0781", (*path, "version"), platform=platform)
    if platform in ("huawei_iotda", "aliyun") and not _LEAST_KEEPALIVE <= sink.keepalive <= _MOST_KEEPALIVE:
        yield document.problem("E-CF-0782", (*path, "keepalive"), platform=platform)
    if isinstance(form, ThingsBoardForm) and sink.tls is None and not is_this_machine(sink.host):
        yield document.problem("W-CF-0712", (*path, "format", "token"), at_key=True, host=quote(sink.host))
    if isinstance(form, AliyunForm) and len(form.devices) > _MOST_ALIYUN:
        at = (*path, "format", "devices")
        yield document.problem("E-CF-0796", at, at_key=True, count=len(form.devices), most=_MOST_ALIYUN)
    if isinstance(form, OneNetForm):
        yield document.problem("W-CF-0788", (*path, "format", "kind"))
        try:
            base64.b64decode(form.key.get_secret_value(), validate=True)
        except binascii.Error:
            yield document.problem("E-CF-0787", (*path, "format", "key"), at_key=True)


def _identities(
    form: PlatformForm, selected: AbstractSet[str], document: Document, path: Path
) -> Iterator[Problem]:
    first: dict[object, str] = {}
    named = _devices(form)
    if isinstance(form, ThingsBoardForm):  # a device without an entry is called by its path
        first = {device: device for device in sorted(selected - named.keys())}
    for device, identity in named.items():
        earlier = first.setdefault(identity, device)
        if earlier != device:
            at = (*path, "format", "devices", device)
            yield document.problem("E-CF-0783", at, at_key=True, first=quote(earlier))


def _devices(form: PlatformForm) -> Mapping[str, object]:
    """Return who each device is on the platform."""
    match form:
        case ThingsBoardForm():
            return form.devices
        case HuaweiForm():
            return {path: each.device_id for path, each in form.devices.items()}
        case AliyunForm():
            return {path: (each.product_key, each.device_name) for path, each in form.devices.items()}
        case OneNetForm():
            return {path: (each.product_id, each.device_name) for path, each in form.devices.items()}
        case _:
            return {}


def _names(
    sink: MqttSink, form: PlatformForm, plant: Plant, document: Document, path: Path
) -> Iterator[Problem]:
    for tag, name in form.names.items():
        if not is_legal(name, form.kind):
            at = (*path, "format", "names", tag)
            words = {"name": quote(name), "longest": RULES[form.kind].longest or 0, "platform": form.kind}
            yield document.problem_with("E-CF-0784", at, words)
    used: dict[tuple[str, str], str] = {}
    told: set[str] = set()
    for each in all_tags(plant):
        if not any(matches(rule, each) for rule in sink.select):
            continue
        for tag in (each.name,) if each.values == 1 else (f"{each.name}_0", f"{each.name}_{each.values - 1}"):
            called = form.names.get(tag) or property_name(tag, form.kind)
            at = (*path, "format", "names")
            if called is None:
                if tag not in told:
                    told.add(tag)
                    yield document.problem_with(
                        "E-CF-0785", at, {"tag": quote(tag), "platform": form.kind}, at_key=True
                    )
                continue
            earlier = used.setdefault((each.device, called), tag)
            if earlier != tag:
                words = {"tag": quote(tag), "first": quote(earlier), "name": called, "device": each.device}
                yield document.problem_with("E-CF-0786", at, words, at_key=True)


def _untold(
    sink: MqttSink, form: PlatformForm, plant: Plant, document: Document, path: Path
) -> Iterator[Problem]:
    """Yield what of the gateway's own the platform never hears of: gaps, alarms."""
    if isinstance(form, AliyunForm | OneNetForm) and form.gaps is None:
        yield document.problem("W-CF-0798", (*path, "format", "kind"), platform=form.kind)
    log = Named(f"{plant.gateway.site}/_alarms/gateway/log", "event", 1, "state")
    is_named = bool(form.names.get(log.name) or property_name(log.name, form.kind))
    is_heard = isinstance(form, ThingsBoardForm) or (is_named and log.device in _devices(form))
    if not is_heard and _has_alarms(plant) and any(matches(rule, log) for rule in sink.select):
        at = (*path, "format", "devices")
        yield document.problem("W-CF-0799", at, at_key=True, platform=form.kind, device=log.device)


def _has_alarms(plant: Plant) -> bool:
    places = [each for source in plant.sources.values() for each in source.devices.values()]
    return any(tag.alarm for each in (*places, *plant.derived.values()) for tag in each.tags.values())


def _missing(
    form: PlatformForm, selected: AbstractSet[str], plant: Plant, document: Document, path: Path
) -> Iterator[Problem]:
    named = _devices(form)
    for device in sorted(selected - named.keys()):
        yield document.problem("E-CF-0789", (*path, "format", "devices"), at_key=True, device=device)
    # What a broker or a server brings is known at run time only.
    if not any(isinstance(source, OpenSource | OpcUaSource) for source in plant.sources.values()):
        for device in sorted(named.keys() - selected):
            if device.split("/")[1].startswith("_"):  # the gateway's own
                continue
            at = (*path, "format", "devices", device)
            yield document.problem("W-CF-0790", at, at_key=True)
