"""Plans for tests, from a few words of a plant file."""

from typing import Any
from zoneinfo import ZoneInfo

from config.calendars import Calendar, CalendarOptions
from config.supply import Supply
from config.tariff_library import terms_of
from gateway.energy.pricing.timetable import Plan

SHANGHAI = ZoneInfo("Asia/Shanghai")
HALF_HOUR = 1_800_000_000_000
MAJOR = ("spring_festival", "labour_day", "national_day")
PRICES = {"purchase": 0.4, "losses": 0.02, "transmission": 0.13, "system": 0.03, "funds": 0.03}
CONTRACT = {"capacity_kva": 1000, "charge": "capacity"}
ENTRY = {"use": "jiangsu-2025", "class": "two_part", "contract": CONTRACT, "standing": PRICES}


def plan(*entries: dict[str, Any], **calendar: Any) -> Plan:
    supplies = [Supply.model_validate(each, by_alias=True, by_name=False) for each in entries or (ENTRY,)]
    options = CalendarOptions.model_validate({"major_holidays": MAJOR} | calendar)
    return Plan(terms_of(supplies), Calendar(options))
