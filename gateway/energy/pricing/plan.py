"""From the plant file to a plan: its tariff entries with their data, and its calendar."""

from config.plant import Plant
from config.tariff_library import terms_of
from gateway.energy.holidays import holidays_of
from gateway.energy.pricing.timetable import Plan


def plan_of(plant: Plant) -> Plan | None:
    """Return under which terms a plant buys, None where its file names no tariff.

    Files are read: not for every request.

    Raises:
        ValueError: a tariff file was changed since the plant file was read, and has mistakes now.
    """
    if not plant.tariff:
        return None
    return Plan(terms_of(plant.tariff), holidays_of(plant), plant.energy.billing)
