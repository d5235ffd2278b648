"""What there is to ask for, as a tree of places and meters; and where it went, as streams."""

from datetime import timedelta
from typing import Final

from config.calendars import Calendar
from config.energy import media
from gateway.energy.carbon.exact import rounded
from gateway.energy.flows import Flow, Flows
from gateway.web.energy_books import Accounts
from gateway.web.energy_models import (
    EnergyFlow,
    EnergyFlows,
    EnergyMedium,
    EnergyMeter,
    EnergyPlace,
    EnergyPlant,
)

_PLACES: Final = 6
_DAYS: Final = 400


def medium_told(name: str) -> EnergyMedium:
    """Return a row of the table of media."""
    each = media()[name]
    return EnergyMedium(name=name, zh=each.zh, en=each.en, unit=each.unit.symbol)


def plant_told(accounts: Accounts) -> EnergyPlant:
    """Return places, meters and media of the plant file."""
    plant, meters = accounts.plant, accounts.query.meters
    site = plant.gateway.site
    places: dict[str, set[str]] = {site: set()}
    for each in meters.values():
        levels = each.node.split("/")
        for i in range(1, len(levels) + 1):
            places.setdefault("/".join(levels[:i]), set()).add(each.medium.name)
    order = list(media())
    return EnergyPlant(
        site=site,
        places=[
            EnergyPlace(path=path, media=sorted(found, key=order.index))
            for path, found in sorted(places.items())
        ],
        meters=[
            EnergyMeter(
                name=each.name,
                title=each.options.title or "",
                medium=each.medium.name,
                node=each.node,
                kind=each.kind,
                parent=each.parent or "",
                serial=each.options.serial or "",
                accuracy=each.options.accuracy or "",
                contract=each.options.contract,
                verify_by=each.options.verify_by or "",
            )
            for each in meters.values()
        ],
        media=[medium_told(name) for name in media()],
        shifts=list(plant.energy.shifts),
        billing_day=plant.energy.billing.day,
        is_priced=accounts.tariff is not None,
        example=example_of(accounts),
        days=_rest_days(accounts, accounts.tariff.calendar if accounts.tariff else None),
    )


def example_of(accounts: Accounts) -> str:
    """Return the tariff's name where the plant file says that its prices are examples."""
    return (
        next((each.supply.use or "" for each in accounts.tariff.terms if each.supply.example), "")
        if (accounts.tariff)
        else ""
    )


def _rest_days(accounts: Accounts, calendar: Calendar | None) -> list[str]:
    if calendar is None:
        return []
    today = accounts.query.calendar.local(accounts.now()).date()
    days = (today + timedelta(days=i) for i in range(-_DAYS, 32))
    return [f"{day}" for day in days if (known := calendar.day(day)) and known.kind != "workday"]


def flow_told(flows: Flows) -> EnergyFlows:
    """Return the streams for the browser."""
    return EnergyFlows(
        unit=flows.unit,
        flows=[_told(each) for each in flows.flows],
        over=[_told(each) for each in flows.over],
        unknown=list(flows.unknown),
        partly=list(flows.partly),
    )


def _told(flow: Flow) -> EnergyFlow:
    return EnergyFlow(
        source=flow.source,
        target=flow.target,
        value=f"{rounded(flow.amount, _PLACES):f}",
        share=None if flow.share is None else float(flow.share),
        alarm=flow.is_alarm,
        beside=flow.is_beside,
    )
