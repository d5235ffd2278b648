"""Electricity at one point: power constant within a second, and energies that are exactly its integral.

Everything that is added up is a whole number: power in W, time in ns, energy in W·ns. The sum over any split
of a time is therefore the same, to the last bit.
"""

import math
from dataclasses import dataclass
from typing import Final

from edge_deploy.plant.shifts import TARIFFS

KWH: Final = 3_600_000 * 1_000_000_000
"""W·ns in a kilowatt-hour."""
Phases = tuple[int, int, int]


def over_phases(power: int, shares: tuple[int, int] = (340, 325)) -> Phases:
    """Return the power on each phase: shares of the first two in thousandths, the third has the rest."""
    first, second = power * shares[0] // 1000, power * shares[1] // 1000
    return first, second, power - first - second


@dataclass(frozen=True, slots=True)
class Energy:
    """Running totals in W·ns (var·ns); none of them ever falls."""

    imported: int = 0
    exported: int = 0
    reactive_in: int = 0
    reactive_out: int = 0
    imported_phase: Phases = (0, 0, 0)
    exported_phase: Phases = (0, 0, 0)
    imported_tariff: tuple[int, ...] = (0,) * len(TARIFFS)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a meter measures at a moment."""

    p: Phases
    """W, positive towards the load."""
    q: Phases
    """var."""
    u: tuple[float, float, float]
    """V to neutral."""
    f: float
    """Hz."""
    energy: Energy

    @property
    def power(self) -> int:
        """Return the active power of all phases, W."""
        return sum(self.p)

    @property
    def reactive(self) -> int:
        """Return the reactive power of all phases, var."""
        return sum(self.q)

    @property
    def s(self) -> tuple[float, ...]:
        """Return the apparent power of each phase, VA."""
        return tuple(math.hypot(p, q) for p, q in zip(self.p, self.q, strict=True))

    @property
    def i(self) -> tuple[float, ...]:
        """Return the current of each phase, A."""
        return tuple(s / u for s, u in zip(self.s, self.u, strict=True))

    @property
    def pf(self) -> tuple[float, ...]:
        """Return the power factor of each phase."""
        return tuple(p / s if s else 1.0 for p, s in zip(self.p, self.s, strict=True))

    @property
    def apparent(self) -> float:
        """Return the apparent power of all phases, VA."""
        return math.hypot(self.power, self.reactive)

    @property
    def power_factor(self) -> float:
        """Return the power factor of all phases."""
        return self.power / self.apparent if self.apparent else 1.0


class Meter:
    """Adds up what passes."""

    def __init__(self, installed: Energy) -> None:
        self.p: Phases = (0, 0, 0)
        self.q: Phases = (0, 0, 0)
        self._tariff = 0
        self._phase_in, self._phase_out = list(installed.imported_phase), list(installed.exported_phase)
        self._by_tariff = list(installed.imported_tariff)
        self._in, self._out = installed.imported, installed.exported
        self._q_in, self._q_out = installed.reactive_in, installed.reactive_out

    def shows(self, p: Phases, q: Phases, tariff: int) -> None:
        """Take the power that holds from now on."""
        self.p, self.q, self._tariff = p, q, tariff

    def passes(self, duration: int) -> None:
        """Let ns pass with that power."""
        p, q = sum(self.p), sum(self.q)
        if p >= 0:
            self._in += p * duration
            self._by_tariff[self._tariff] += p * duration
        else:
            self._out -= p * duration
        if q >= 0:
            self._q_in += q * duration
        else:
            self._q_out -= q * duration
        for phase, power in enumerate(self.p):
            if power >= 0:
                self._phase_in[phase] += power * duration
            else:
                self._phase_out[phase] -= power * duration

    def totals(self) -> tuple[int, int]:
        """Return what was imported and exported, W·ns."""
        return self._in, self._out

    def energy(self) -> Energy:
        """Return the totals."""
        a, b, c = self._phase_in
        x, y, z = self._phase_out
        return Energy(
            self._in, self._out, self._q_in, self._q_out, (a, b, c), (x, y, z), tuple(self._by_tariff)
        )
