"""The first view: is it working, and is anything waiting for a person?"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.reasons import in_words
from connectors.quality import name as quality_name
from gateway.buffer.known_tags import is_own
from gateway.supervise import LinkState
from gateway.told import LinkTold, Told, certificate_days
from gateway.web.models import Attention, Device, DeviceState, Link, Overview, Strip
from gateway.web.offset import offset_at
from gateway.web.rows import ms, severity
from gateway.web.view import View

CERTIFICATE_DAYS: Final = 30
URGENT_DAYS: Final = 3
LATE_S: Final = 60.0
"""A connected sink whose oldest row waits longer is worth a look."""
HISTORY_LATE_S: Final = 300.0
"""The history books every ten seconds, on a slow machine every minute."""
MOST_ATTENTION: Final = 50


def overview(view: View) -> Overview | None:
    """Return the first view; None until the gateway has answered once."""
    told = view.told
    if told is None:
        return None
    catalogue = view.catalogue
    state = severity(view, catalogue.number)
    devices = _devices(view, state)
    links = [link_answer(link) for link in told.links]
    attention = sorted(_attention(view, told, links, devices), key=lambda each: not each.urgent)
    counts = np.bincount(state, minlength=4).tolist()
    return Overview(
        strip=_strip(view, told, links, counts),
        links=links,
        attention=attention[:MOST_ATTENTION],
        devices=devices,
    )


def is_capped(link: LinkTold) -> bool:
    """Tell whether a sink has used up what it may move today: it goes on by itself."""
    return 0 < link.counts.get("day_cap_bytes", 0.0) <= link.counts.get("day_bytes", 0.0)


def link_answer(link: LinkTold) -> Link:
    """Return a link as the page shows it."""
    return Link(
        name=link.name,
        role=link.about.role,
        kind=link.about.kind,
        peer=link.about.peer,
        state=link.state.value,
        since=ms(link.since),
        error=link.error,
        error_zh=in_words(link.error, "zh"),
        rows=int(link.counts.get("rows", 0)),
        lag_s=round(link.counts.get("backlog_oldest_seconds", 0.0), 1),
        buffered=int(link.counts.get("backlog_rows", 0)),
        dropped=int(link.counts.get("dropped_rows", 0)),
        quarantined=max(0, int(link.counts.get("quarantined_rows", 0) - link.counts.get("retried_rows", 0))),
        bytes=int(link.counts.get("bytes", 0)),
    )


def _strip(view: View, told: Told, links: list[Link], counts: list[int]) -> Strip:
    sources = [link for link in links if link.role == "source"]
    sinks = [link for link in links if link.role == "sink"]
    return Strip(
        gateway=told.gateway,
        site=told.site,
        zone=told.zone,
        offset=offset_at(told.zone, told.now),
        now=told.now // 1_000_000,
        started=told.started // 1_000_000,
        answers=view.answers,
        sources_up=sum(link.state == "connected" for link in sources),
        sources=len(sources),
        sinks_up=sum(link.state == "connected" for link in sinks),
        sinks=len(sinks),
        lost=sum(link.dropped for link in sinks),
        buffered=max((link.buffered for link in sinks), default=0),
        oldest_s=max((link.lag_s for link in sinks), default=0.0),
        quarantined=sum(link.quarantined for link in sinks),
        alarms=int(told.alarms.get("active", 0)),
        unacknowledged=int(told.alarms.get("unacknowledged", 0)),
        rows_per_s=None if view.rows_per_s is None else round(view.rows_per_s, 1),
        store_bytes=int(told.store.get("bytes", 0)),
        max_bytes=told.max_bytes,
        store_holds_s=told.store.get("holds_seconds"),
        **dict(zip(("good", "uncertain", "bad", "waiting"), counts, strict=True)),
    )


def _devices(view: View, state: NDArray[np.uint8]) -> list[Device]:
    catalogue = view.catalogue
    n = len(catalogue.devices)
    arrived = np.zeros(n, np.int64)
    np.maximum.at(arrived, catalogue.device, view.of(view.values.arrived, catalogue.number).astype(np.int64))
    tags, uncertain, bad, waiting = (
        np.bincount(catalogue.device[chosen], minlength=n).tolist()
        for chosen in (state >= 0, state == 1, state == 2, state == 3)
    )
    links = view.told.links if view.told else ()
    up = {link.name for link in links if link.about.role == "source" and link.state is LinkState.CONNECTED}
    found = []
    for i, path in enumerate(catalogue.devices):
        source = catalogue.sources[i]
        found.append(
            Device(
                path=path,
                source=source,
                state=_state(tags[i], uncertain[i], bad[i], waiting[i], is_up=source in up or is_own(source)),
                arrived=ms(int(arrived[i])),
                tags=tags[i],
                bad=bad[i],
                uncertain=uncertain[i],
            )
        )
    return found


def _state(tags: int, uncertain: int, bad: int, waiting: int, *, is_up: bool) -> DeviceState:
    if not is_up:
        return "link"
    if waiting == tags:
        return "waiting"
    if bad + waiting == tags:
        return "bad"
    if bad:
        return "partly"
    return "uncertain" if uncertain else "good"


def _attention(view: View, told: Told, links: list[Link], devices: list[Device]) -> Iterator[Attention]:
    if not view.answers:
        yield _about("gateway_silent", told.gateway, since=ms(told.now), urgent=True)
    if told.last_good:
        yield _about("last_good", told.gateway, count=told.last_good, urgent=True)
    for reason in told.reasons:
        yield _about("store", told.gateway, reason, urgent=True)
    if told.store.get("full"):
        yield _about("store_full", told.gateway, urgent=True)
    left = None if view.certificate is None else view.certificate.days_left()
    if left is not None and left < CERTIFICATE_DAYS:
        yield _about("certificate", "", count=max(0, left), urgent=left < URGENT_DAYS)
    for link, known in zip(links, told.links, strict=True):
        yield from _about_link(link, known)
        yield from _about_certificates(link.name, known)
    for device in devices:
        if device.state == "bad":
            yield _about("device_silent", device.path, _worst(view, device), device.arrived, count=device.bad)
        elif device.state == "partly":
            yield _about("device_partly", device.path, _worst(view, device), count=device.bad)


def _about_link(link: Link, known: LinkTold) -> Iterator[Attention]:
    since = link.since
    if link.role == "history":
        if link.state != "connected" and link.error:
            yield _about("history_stopped", "", link.error, since, urgent=True)
        elif link.lag_s > HISTORY_LATE_S:
            yield _about("history_late", "", count=link.buffered)
    elif link.state == "needs_a_person":
        yield _about("link_person", link.name, link.error, since, urgent=True)
    elif link.state in ("waiting", "connecting") and link.error:
        capped = is_capped(known)
        code = "sink_capped" if capped else "link_down"
        yield _about(code, link.name, link.error, since, urgent=not capped)
    elif link.role == "sink" and link.lag_s > LATE_S:
        yield _about("sink_late", link.name, count=link.buffered)
    if known.counts.get("crashes"):
        yield _about("link_crashed", link.name, known.last_error, ms(known.failed_at), urgent=True)
    if link.dropped:
        yield _about("lost", link.name, count=link.dropped, urgent=True)
    if link.quarantined:
        yield _about("quarantined", link.name, count=link.quarantined)


def _about_certificates(name: str, known: LinkTold) -> Iterator[Attention]:
    for whose, days in certificate_days(known):
        if days < CERTIFICATE_DAYS:
            code = f"certificate_{whose}"
            yield _about(code, name, count=max(0, int(days)), urgent=days < URGENT_DAYS)


def _about(
    code: str,
    subject: str,
    reason: str = "",
    since: int | None = None,
    *,
    count: int = 0,
    urgent: bool = False,
) -> Attention:
    said = {"reason": reason, "reason_zh": in_words(reason, "zh")}
    return Attention(code=code, urgent=urgent, subject=subject, **said, since=since, count=count)


def _worst(view: View, device: Device) -> str:
    """Return the name of the quality most of the device's Bad tags have."""
    catalogue = view.catalogue
    numbers = catalogue.number[catalogue.device == catalogue.devices.index(device.path)]
    quality = view.of(view.values.quality, numbers)
    codes, times = np.unique(quality[quality >= np.uint32(0x8000_0000)], return_counts=True)
    return quality_name(int(codes[times.argmax()])) if len(codes) else ""
