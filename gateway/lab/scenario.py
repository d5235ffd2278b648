"""Faults as data: which fault happens to which request at which time, the same again for the same seed.

    seed: 7
    faults:
      - {fault: late_reply, value: 1.3s, share: 0.1, unit: 2}
      - {fault: exception, value: 6, requests: [5, 9]}
      - {fault: drop, between: [30s, 60s]}

On a command line the first is `late_reply=1.3s@0.1/2`, the others `exception=6@#5` and `drop@30s-60s`. The
first fault that applies to a request happens to it; without one the equipment is in order.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from gateway.lab import amounts
from gateway.lab.told import Told


def _in_order(window: tuple[float, float]) -> tuple[float, float]:
    if window[0] >= window[1]:
        raise ValueError(f"no time lies between {window[0]:g} s and {window[1]:g} s")
    return window


Seconds = Annotated[float, BeforeValidator(amounts.seconds)]
Window = Annotated[tuple[Seconds, Seconds], AfterValidator(_in_order)]
Share = Annotated[float, BeforeValidator(amounts.share)]
Known = Mapping[str, Callable[[Told], object]]
"""The faults an equipment can have, each with what reads its value; ValueError: it is none."""


class Fault(BaseModel):
    """One fault and when it happens; every condition that is given must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    fault: str
    value: Told = None
    """What the fault needs to know: how late, which exception, which address."""
    share: Share = 1.0
    """Of the requests that fit."""
    requests: frozenset[int] | None = None
    """By number, from 1."""
    between: Window | None = None
    """Since the lab began, s."""
    unit: int | None = None
    """Only of this unit id, or of this device by number."""
    address: int | None = None
    """Only requests that ask for it."""

    @classmethod
    def read(cls, text: str) -> Self:
        """Return the fault a command line names: `kind[=value][@when][/unit]`; ValueError: it can not."""
        rest, slash, unit = text.partition("/")
        rest, at, when = rest.partition("@")
        kind, equals, value = rest.partition("=")
        given: dict[str, Any] = {"fault": kind}
        if equals:
            given["value"] = value
        if slash:
            given["unit"] = unit
        if at and when.startswith("#"):
            given["requests"] = when[1:].split(",")
        elif at and "-" in when:
            given["between"] = when.split("-", 1)
        elif at:
            given["share"] = when
        return cls.model_validate(given)


class _Told(BaseModel):
    """What stands in a scenario's file."""

    model_config = ConfigDict(extra="forbid")
    seed: int = 0
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """One occasion for a fault: a request, a message, a second."""

    number: int
    """From 1."""
    elapsed_s: float
    unit: int = 0
    addresses: range = range(0)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Faults and the seed their shares are drawn with."""

    faults: tuple[Fault, ...] = ()
    seed: int = 0

    @classmethod
    def of(cls, faults: Iterable[Fault], known: Known, seed: int = 0) -> Self:
        """Return a scenario of faults the equipment can have; ValueError: a fault, or its value, is none."""
        made = tuple(faults)
        for fault in made:
            if fault.fault not in known:
                raise ValueError(f"no fault {fault.fault!r}; there are {', '.join(sorted(known))}")
            try:
                known[fault.fault](fault.value)
            except ValueError as exc:
                raise ValueError(f"{fault.fault}={fault.value}: {exc}") from exc
        return cls(made, seed)

    @classmethod
    def load(cls, file: Path, known: Known, seed: int | None = None) -> Self:
        """Read a scenario from YAML or JSON; a seed given here goes before its own.

        Raises:
            ValueError: it is none; the message says why.
        """
        try:
            told = _Told.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
        except yaml.YAMLError as exc:
            raise ValueError(f"{file.name} is not YAML: {str(exc).splitlines()[0]}") from exc
        return cls.of(told.faults, known, told.seed if seed is None else seed)

    def at(self, moment: Moment) -> Fault | None:
        """Return what happens now; the draw depends on seed, fault and number alone."""
        for place, fault in enumerate(self.faults):
            if _fits(fault, moment) and (
                fault.share >= 1
                or random.Random(f"{self.seed}/{place}/{moment.number}").random() < fault.share
            ):
                return fault
        return None


def _fits(fault: Fault, moment: Moment) -> bool:
    return (
        (fault.unit is None or fault.unit == moment.unit)
        and (fault.address is None or fault.address in moment.addresses)
        and (fault.requests is None or moment.number in fault.requests)
        and (fault.between is None or fault.between[0] <= moment.elapsed_s < fault.between[1])
    )
