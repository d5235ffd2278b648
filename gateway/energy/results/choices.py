"""The choices of a plant file with the rows of its library: made in one place for page, reports and books."""

from pathlib import Path

from config.factors import Factors
from config.plant import Plant
from gateway.energy.carbon.choice import Choices, choices


def choices_of(plant: Plant, folder: Path) -> Choices:
    """Return what a plant chose; `folder` is the plant file's. Raises Refused."""
    library = plant.gateway.library
    factors = Factors(None if library is None else folder / library)
    return choices(plant.carbon, factors, plant.gateway.zone)
