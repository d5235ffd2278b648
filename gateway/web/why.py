"""Why a tag says what it says: its value's way, station by station, with what is known of each.

    link ─ session ─ request ─ decode ─ rule ─ buffer ─ each sink

Nothing here is guessed: what no part of the gateway counted is absent, and a station behind a broken one is
told as blocked. The first station that isn't well is the cause, and names the one next action.
"""

import math
from typing import Any, Final, Literal

import numpy as np

from config.glob import glob_pattern
from config.reasons import in_words
from connectors import Tag, quality
from gateway.buffer.known_tags import is_own
from gateway.supervise import LinkState
from gateway.told import LinkTold, Told
from gateway.web.models import Fact, Step, StepState, TagRow, Why
from gateway.web.overview import HISTORY_LATE_S, LATE_S, is_capped, link_answer
from gateway.web.rows import ms, tag_row
from gateway.web.view import View

_REQUEST: Final = {
    quality.BAD_NO_COMMUNICATION: "no_communication",
    quality.BAD_TIMEOUT: "timeout",
    quality.BAD_COMMUNICATION_ERROR: "wrong_answer",
    quality.BAD_RESOURCE_UNAVAILABLE: "busy",
    quality.BAD_DEVICE_FAILURE: "device_failure",
    quality.BAD_CONFIGURATION_ERROR: "configuration",
    quality.BAD_NOT_SUPPORTED: "configuration",
    quality.BAD_WAITING_FOR_INITIAL_DATA: "no_value",
    quality.BAD_DATA_LOST: "gap",
}
"""Qualities that say the device didn't answer as it should; the values name what to do."""
_DECODE: Final = {quality.BAD_OUT_OF_RANGE: "out_of_range"}
_RULE: Final = {
    quality.UNCERTAIN_ENGINEERING_UNITS_EXCEEDED: "limits",
    quality.UNCERTAIN_SUBNORMAL: "few_values",
    quality.UNCERTAIN_CONFIGURATION_ERROR: "review",
    quality.UNCERTAIN_INITIAL_VALUE: "retained",
}
_SHOWN_COUNTS: Final = ("requests", "timeouts", "exceptions", "rejected_replies", "late_replies")
"""Of the whole link."""
_FLAPPING_NS: Final = 60_000_000_000


def why(view: View, number: int) -> Why | None:
    """Return the way of a tag's value; None until the gateway has answered once."""
    told = view.told
    if told is None:
        return None
    tag = view.catalogue.tags[number]
    row = tag_row(view, number)
    link = view.link(tag.source)
    way = _way(view, told, tag, row, link)
    steps, actions = [step for step, _ in way], [action for _, action in way]
    cause = next((i for i, step in enumerate(steps) if step.state in ("bad", "warning")), None)
    action = actions[cause] if cause is not None else ("no_value" if row.quality is None else "none")
    return Why(tag=row, steps=steps, cause=cause, action=action)


def _way(view: View, told: Told, tag: Tag, row: TagRow, link: LinkTold | None) -> list[tuple[Step, str]]:
    rest = [_buffer(told)]
    rest += [_sink(each, tag) for each in told.links if each.about.role == "sink"]
    rest += [_history(each, tag) for each in told.links if each.about.role == "history"]
    if is_own(tag.source):
        return rest  # computed here: nobody is asked for it
    found = [_link(told, link), _session(told, link)]
    is_up = link is not None and link.state is LinkState.CONNECTED
    found.append(_request(view, tag, row, link, is_up=is_up))
    is_answered = found[-1][0].state == "good"
    found.append(_decode(view, row, is_answered=is_answered))
    found.append(_rule(view, tag, row, is_decoded=found[-1][0].state == "good"))
    return found + rest


def _link(told: Told, link: LinkTold | None) -> tuple[Step, str]:
    if link is None:
        return _step("link", "unknown"), "unknown"
    facts = [Fact(name="kind", value=link.about.kind)]
    if link.about.peer:
        facts.append(Fact(name="peer", value=link.about.peer))
    state, action = _link_state(link)
    if action == "link_down" and link.about.kind == "modbus_serial":
        action = "serial_down"
    good = told.now if link.state is LinkState.CONNECTED else max(link.moved_at, link.connected_at)
    return _step("link", state, link, good=good, facts=facts), action


def _link_state(link: LinkTold) -> tuple[StepState, str]:
    match link.state:
        case LinkState.CONNECTED:
            return "good", "none"
        case LinkState.NEEDS_A_PERSON:
            return "bad", "link_person"
        case LinkState.WAITING:
            return "bad", "link_down"
        case LinkState.CONNECTING:
            return ("bad", "link_down") if link.error else ("warning", "link_connecting")
        case LinkState.STOPPED:
            return "bad", "link_stopped"


def _session(told: Told, link: LinkTold | None) -> tuple[Step, str]:
    if link is None:
        return _step("session", "unknown"), "unknown"
    facts = [_count(link, "sessions")]
    if link.counts.get("crashes"):
        facts.append(_count(link, "crashes"))
    if link.connected_at:
        facts.append(Fact(name="connected_at", value=link.connected_at // 1_000_000, unit="at"))
    if link.state is not LinkState.CONNECTED:
        return _step("session", "blocked", link, good=link.moved_at, facts=facts), "none"
    is_young = told.now - link.connected_at < _FLAPPING_NS
    if is_young and told.now - link.failed_at < _FLAPPING_NS:
        return _step("session", "warning", link, good=told.now, facts=facts), "flapping"
    return _step("session", "good", link, good=told.now, facts=facts), "none"


def _request(view: View, tag: Tag, row: TagRow, link: LinkTold | None, *, is_up: bool) -> tuple[Step, str]:
    catalogue = view.catalogue
    mine = catalogue.number[catalogue.device == catalogue.devices.index(tag.device)]
    good = int(view.of(view.values.good, mine).max(initial=0))
    facts = [_count(link, name) for name in _SHOWN_COUNTS if link is not None and name in link.counts]
    if row.arrived:
        facts.append(Fact(name="last_read", value=row.arrived, unit="at"))
    state: StepState = "good"
    action = "none"
    if not is_up:
        state = "blocked"
    elif row.quality is None:
        state, action = "warning", "no_value"
    elif _station(row.quality) == "request":
        state, action = "bad", _REQUEST.get(row.quality, "device_says")
    return _of_tag(view, row, "request", state, good=good, facts=facts), action


def _decode(view: View, row: TagRow, *, is_answered: bool) -> tuple[Step, str]:
    facts = [Fact(name="type", value=row.kind)]
    good = int(view.of(view.values.good, np.array([row.number], np.int32))[0])
    state: StepState = "good"
    action = "none"
    if not is_answered or row.quality is None:
        state = "blocked"
    elif _station(row.quality) == "decode":
        state, action = "bad", _DECODE[row.quality]
    return _of_tag(view, row, "decode", state, good=good, facts=facts), action


def _rule(view: View, tag: Tag, row: TagRow, *, is_decoded: bool) -> tuple[Step, str]:
    facts = [
        Fact(name=name, value=value)
        for name, value in (("low", tag.low), ("high", tag.high), ("deadband", tag.deadband))
        if not math.isnan(value)
    ]
    if tag.heartbeat:
        facts.append(Fact(name="heartbeat", value=tag.heartbeat / 1e9, unit="s"))
    good = int(view.of(view.values.good, np.array([row.number], np.int32))[0])
    state: StepState = "good"
    action = "none"
    if not is_decoded or row.quality is None:
        state = "blocked"
    elif _station(row.quality) == "rule":
        state, action = "warning", _RULE.get(row.quality, "uncertain")
    if row.time and state != "blocked":
        facts.append(Fact(name="last_stored", value=row.time, unit="at"))
    return _of_tag(view, row, "rule", state, good=good, facts=facts), action


def _station(code: int) -> str:
    """Return the station a quality speaks of; empty for a good one."""
    if code in _DECODE:
        return "decode"
    if code >= quality.BAD:
        return "request"  # also a quality of the server's own
    return "rule" if code >= quality.UNCERTAIN else ""


def _of_tag(view: View, row: TagRow, step: Any, state: StepState, *, good: int, facts: list[Fact]) -> Step:
    """Return a station of the tag's own; of faults only the newest is kept, and it belongs to one of them."""
    one = np.array([row.number], np.int32)
    fault = int(view.of(view.values.fault, one)[0])
    code = int(view.of(view.values.fault_quality, one)[0])
    error, error_at = (quality.name(code), ms(fault)) if fault and _station(code) == step else ("", None)
    if state in ("bad", "warning") and not error and row.quality is not None:
        error, error_at = row.quality_name, row.time  # what we said ourselves, e.g. of our absence
    return _step(step, state, good=good, error=error, error_at=error_at, is_clean=not fault, facts=facts)


def _buffer(told: Told) -> tuple[Step, str]:
    store = told.store
    facts = [
        Fact(name="store_bytes", value=store.get("bytes", 0.0), unit="bytes"),
        Fact(name="max_bytes", value=float(told.max_bytes), unit="bytes"),
    ]
    good = max((link.moved_at for link in told.links if link.about.role == "source"), default=0)
    if store.get("degraded"):
        return _step("buffer", "bad", error="; ".join(told.reasons), facts=facts, good=good), "store"
    if store.get("full"):
        return _step("buffer", "bad", facts=facts, good=good), "store_full"
    return _step("buffer", "good", facts=facts, good=good), "none"


def _rule_for(link: LinkTold, tag: Tag) -> int | Literal["none"] | None:
    """Return a selecting rule's window in ns, None for every row, "none" where none selects the tag."""
    return next(
        (
            every
            for path, wanted, every in link.about.select
            if wanted in (None, tag.tag_class) and glob_pattern(path).fullmatch(tag.path)
        ),
        "none",
    )


def _history(link: LinkTold, tag: Tag) -> tuple[Step, str]:
    answer = link_answer(link)
    if _rule_for(link, tag) == "none":
        return _step("history", "off"), "none"
    facts = [
        Fact(name="store_bytes", value=answer.bytes, unit="bytes"),
        Fact(name="buffered", value=answer.buffered),
        Fact(name="lag", value=answer.lag_s, unit="s"),
    ]
    state, _ = _link_state(link)
    action = "none" if state == "good" else "history_stopped" if link.error else "history_connecting"
    if state == "good" and answer.lag_s > HISTORY_LATE_S:
        state, action = "warning", "history_late"
    return _step("history", state, link, good=link.moved_at, facts=facts), action


def _sink(link: LinkTold, tag: Tag) -> tuple[Step, str]:
    answer = link_answer(link)
    rule = _rule_for(link, tag)
    facts = [Fact(name="kind", value=link.about.kind), Fact(name="peer", value=link.about.peer)]
    if rule == "none":
        return _step("sink", "off", link, facts=facts), "none"
    if isinstance(rule, int):
        facts.append(Fact(name="every", value=rule / 1e9, unit="s"))
    facts += [Fact(name="buffered", value=answer.buffered), Fact(name="lag", value=answer.lag_s, unit="s")]
    for name in ("dropped", "quarantined"):
        if getattr(answer, name):
            facts.append(Fact(name=name, value=getattr(answer, name)))
    state, action = _link_state(link)
    if state == "good" and answer.lag_s > LATE_S:
        state, action = "warning", "sink_late"
    elif state == "good" and answer.quarantined:
        state, action = "warning", "quarantined"
    action = action.replace("link_", "sink_")
    if action == "sink_down" and is_capped(link):
        state, action = "warning", "sink_capped"
    return _step("sink", state, link, good=link.moved_at, facts=facts), action


def _count(link: LinkTold | None, name: str) -> Fact:
    return Fact(name=name, value=0.0 if link is None else link.counts.get(name, 0.0))


def _step(
    step: Any,
    state: StepState,
    link: LinkTold | None = None,
    *,
    good: int = 0,
    error: str = "",
    error_at: int | None = None,
    is_clean: bool = False,
    facts: list[Fact] | None = None,
) -> Step:
    if link is not None and not error:
        error, error_at, is_clean = link.last_error, ms(link.failed_at), not link.failed_at
    return Step(
        step=step,
        name=link.name if link and step not in ("session", "history") else "",
        state=state,
        good_at=ms(good),
        error=error,
        error_zh=in_words(error, "zh"),
        error_at=error_at,
        clean=is_clean and not error,
        facts=facts or [],
    )
