"""What really happened in the plant between two of its moments: to compare with what was collected."""

from edge_deploy.plant.clock import SECOND
from edge_deploy.plant.metering import KWH
from edge_deploy.plant.model import Plant, State

_COUNTERS = ("press_good", "press_reject", "assembly_good", "assembly_reject", "air_litres", "air_starts")


def between(seed: int, start: int, first: int, last: int) -> dict[str, object]:
    """Return energies in kWh and counts from `first` to `last`; all times are the plant's, ns since 1970."""
    plant = Plant(seed, start)
    before, after = plant.at(first), plant.at(last)
    meters = {
        name: {
            "import_kwh": (reading.energy.imported - before.meters[name].energy.imported) / KWH,
            "export_kwh": (reading.energy.exported - before.meters[name].energy.exported) / KWH,
        }
        for name, reading in after.meters.items()
    }
    counts = {name: getattr(after, name) - getattr(before, name) for name in _COUNTERS}
    return {"seconds": (last - first) / SECOND, "meters": meters, "counts": counts, "at_end": _shown(after)}


def _shown(state: State) -> dict[str, float]:
    """Return the totals at the end, kWh, as exactly as a float can."""
    return {name: reading.energy.imported / KWH for name, reading in state.meters.items()}
