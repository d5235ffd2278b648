"""What is watched beside the books: demand against the contract, and the balance of meters.

    books ─forecast of the running quarter─▶ demand ÷ contract ─┐
    books ─each whole hour─▶ unaccounted share of the measured ─┴─rule─▶ state ─▶ log, tags

What comes of it goes two ways, once each: into the program's log (WARNING when an alarm begins, INFO when it
is over), and as tags of the gateway's own, `site/_energy/demand/<meter>/alarm`, appended to the buffer so
that every sink and the history get them. The states are stored with the rows, so a restart repeats nothing.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import astuple
from fractions import Fraction
from typing import Any, Final, NamedTuple

import numpy as np

from config.energy_meters import Meter, children, fraction
from connectors import Batch, Columns, Kind, Tag, TagTable
from gateway.alarms import Rule, State, step
from gateway.alarms.condition import Facts, Standing
from gateway.energy.accounts.demand import Forecast
from gateway.energy.balance import Balance, balance
from gateway.energy.periods import HOUR_NS, MINUTE_NS
from gateway.energy.query import Query

log = logging.getLogger(__name__)
SOURCE: Final = "gateway/energy"
"""Under this name the rows are stored; no plant file can give it to a source."""
AREA: Final = "_energy"
_BACK: Final = Fraction(5, 100)
"""A demand alarm is over when the forecast is so much of the contract below the warning share …"""
_DEMAND: Final = (MINUTE_NS, 5 * MINUTE_NS)
"""… for five minutes; it begins after one, for a motor's start is no demand."""
_CALM: Final = Fraction(4, 5)
"""A balance alarm is over at so much of the allowed share."""
_SETTLED_NS: Final = 15 * MINUTE_NS
"""An hour is judged so long after its end: slow meters have been read by then."""
_MOST_HOURS: Final = 24
_TELL_NS: Final = MINUTE_NS
"""A forecast is told, and an hour that is not known yet asked for, so often."""


class Turned(NamedTuple):
    """An alarm that began or is over."""

    code: str
    meter: str
    state: State
    facts: Facts


class Look(NamedTuple):
    """What one look brought: rows for the log, and alarms that turned."""

    rows: list[tuple[int, int, float]]
    """Tag number, ns, value."""
    turned: list[Turned]

    def batch(self, arrived: int) -> Batch:
        """Return the rows as they are stored, grouped by device."""
        tag, time, value = zip(*self.rows, strict=True)
        good = np.zeros(len(tag), np.uint32)
        columns = Columns(
            np.array(tag, np.int32), np.array(time, np.int64), np.array(value, np.float64), good
        )
        return Batch((columns,), arrived)


class Watch:
    """The watched meters and where their alarms stand."""

    def __init__(self, query: Query, meters: Mapping[str, Meter], warn_at: float, site: str) -> None:
        self._query = query
        self._warn_at = fraction(warn_at) / 100
        self._site = site
        self._contracts = [name for name, each in meters.items() if each.options.contract is not None]
        self._allowed = {
            name: fraction(each.options.unaccounted) / 100
            for name, each in meters.items()
            if each.options.unaccounted is not None and children(meters, name)
        }
        self._tags: dict[str, int] = {}
        self._states: dict[str, State] = {}
        self._facts: dict[str, Facts] = {}
        self._told: dict[str, int] = {}
        self._judged: dict[str, int] = {}
        self._waits: dict[str, int] = {}
        """Since when, ns, an hour that is not known yet is not asked for again."""
        self.forecasts: dict[str, Forecast] = {}
        """The running quarter of an hour of each meter with a contract value."""

    def __bool__(self) -> bool:
        """Tell whether anything is watched."""
        return bool(self._contracts or self._allowed)

    def begin(self, tags: TagTable, token: bytes | None) -> None:
        """Announce the tags, and take up where the alarms stood."""
        wanted = {
            **{f"demand/{name}/{tag}": unit for name in self._contracts for tag, unit in _OF_DEMAND},
            **{f"balance/{name}/{tag}": unit for name in self._allowed for tag, unit in _OF_BALANCE},
        }
        numbers = tags.announce([_tag(f"{self._site}/{AREA}/{path}", unit) for path, unit in wanted.items()])
        tags.keep_only(SOURCE, numbers)
        self._tags = dict(zip(wanted, numbers.tolist(), strict=True))
        if token is not None:
            kept = json.loads(token)
            self._states = {name: State(*each) for name, each in kept["states"].items()}
            self._judged = kept["judged"]

    def token(self) -> bytes:
        """Return where the alarms stand, to be stored with the rows that say so."""
        states = {name: astuple(state) for name, state in self._states.items()}
        return json.dumps({"states": states, "judged": self._judged}).encode()

    def active(self, kind: str) -> int:
        """Return how many alarms of a kind stand: demand, balance."""
        return sum(state.is_active for name, state in self._states.items() if name.startswith(f"{kind}/"))

    def standing(self) -> Iterator[Standing]:
        """Yield every alarm of what is watched; one of an earlier run is not known until it is judged."""
        for key, state in list(self._states.items()):
            name = key.partition("/")[2]
            facts = self._facts.get(key)
            known = None if facts is None else state.is_active
            if key.startswith("demand/") and name in self._contracts:
                yield Standing("demand", name, known, facts or {})
            elif key.startswith("balance/") and name in self._allowed:
                yield Standing("balance", name, known, facts or {})

    def look(self, now: int) -> Look:
        """Look at the books; blocks. Raises sqlite3.Error."""
        found = Look([], [])
        for name in self._contracts:
            self._look_at_demand(name, found)
        for name in self._allowed:
            self._look_at_balance(name, now, found)
        return found

    def _look_at_demand(self, name: str, found: Look) -> None:
        told = self._query.running(name)
        if told is None or told.contract is None:
            self.forecasts.pop(name, None)
            return
        self.forecasts[name] = told
        rule = Rule(self._warn_at, self._warn_at - _BACK, *_DEMAND)
        facts: Facts = {
            "forecast_kw": round(float(told.demand), 1),
            "contract_kw": float(told.contract),
            "may_use_kw": round(float(told.may_use or Fraction(0)), 1),
        }
        key = f"demand/{name}"
        has_turned = self._step(key, rule, told.demand / told.contract, told.at, found, facts=facts)
        if has_turned or told.at - self._told.get(key, -_TELL_NS) >= _TELL_NS:
            self._told[key] = told.at
            self._tell(key, told.at, found, forecast=float(told.demand))

    def _look_at_balance(self, name: str, now: int, found: Look) -> None:
        last = (now - _SETTLED_NS) // HOUR_NS * HOUR_NS
        first = max(self._judged.get(name, 0), last - _MOST_HOURS * HOUR_NS)
        if first >= last:
            return
        if now - self._waits.get(name, -_TELL_NS) < _TELL_NS:
            return
        hours = balance(self._query, name, "60min", first, last)
        known = [i for i, hour in enumerate(hours) if hour.unaccounted is not None]
        # The hours behind the last that is known wait: a slow meter, or one that is away, may still tell.
        hours = hours[: known[-1] + 1] if known else []
        if not hours or hours[-1].span.last < last:
            self._waits[name] = now
        rule = Rule(self._allowed[name], self._allowed[name] * _CALM, HOUR_NS, HOUR_NS)
        for hour in hours:
            self._judged[name] = hour.span.last
            if hour.share is None:
                continue
            facts: Facts = {
                "unaccounted_percent": round(float(hour.share * 100), 1),
                "allowed_percent": float(self._allowed[name] * 100),
            }
            key = f"balance/{name}"
            self._step(key, rule, _beyond_doubt(hour), hour.span.last, found, facts=facts)
            self._tell(key, hour.span.last, found, unaccounted=float(hour.share * 100))

    def _step(
        self,
        key: str,
        rule: Rule,
        level: Fraction | None,
        at: int,
        found: Look,
        *,
        facts: Facts,
    ) -> bool:
        self._facts[key] = facts
        was = self._states.get(key, State())
        state = self._states[key] = step(rule, was, level, at)
        if state.is_active == was.is_active:
            return False
        kind, _, meter = key.partition("/")
        found.turned.append(Turned(_CODES[kind], meter, state, facts))
        return True

    def _tell(self, key: str, at: int, found: Look, **values: float) -> None:
        values["alarm"] = float(self._states[key].is_active)
        found.rows.extend((self._tags[f"{key}/{name}"], at, value) for name, value in values.items())


def say(turned: Turned) -> None:
    """Write an alarm that turned into the program's log."""
    began, over = _WORDS[turned.code]
    facts: dict[str, Any] = {"code": turned.code, "meter": turned.meter, **turned.facts}
    if turned.state.is_active:
        log.warning(began, extra=facts)
    else:
        log.info(over, extra=facts)


def _beyond_doubt(hour: Balance) -> Fraction | None:
    """Return the share that is unaccounted for whatever the readings leave open, either way."""
    if hour.measured is None or hour.unaccounted is None or not hour.measured:
        return None
    return max(Fraction(0), abs(hour.unaccounted) - hour.uncertainty) / abs(hour.measured)


def _tag(path: str, unit: str) -> Tag:
    kind = Kind.FLOAT64 if unit else Kind.BOOL
    return Tag(path, kind, unit or "C62", SOURCE, tag_class="energy" if unit else "state")


_CODES: Final = {"demand": "E-EN-0004", "balance": "E-EN-0006"}
_WORDS: Final = {
    "E-EN-0004": (
        "demand is heading above the contract value",
        "demand is clear of the contract value again",
    ),
    "E-EN-0006": (
        "more is unaccounted for than is allowed",
        "what is unaccounted for is within what is allowed again",
    ),
}
_OF_DEMAND: Final = (("forecast", "KWT"), ("alarm", ""))
_OF_BALANCE: Final = (("unaccounted", "P1"), ("alarm", ""))
