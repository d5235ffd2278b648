"""The supplier's periods: which stretch of time is on one bill, and the month it is called after."""

from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from config.energy import Billing


class Bill(NamedTuple):
    """One period of the supplier: first ≤ time < last, ns UTC."""

    name: str
    """The local month of its last whole day, ``2026-07``: what people call the bill."""
    first: int
    last: int
    begins: str
    """Local month of its first day …"""
    ends: str
    """… and of its last whole one."""


def bills_of(billing: Billing, zone: ZoneInfo, start: int, end: int) -> list[Bill]:
    """Return the bills that [start, end), ns UTC, touches, in order."""
    at = datetime.fromtimestamp(start // 1_000_000_000, zone)
    month = at.year * 12 + at.month - 2
    found: list[Bill] = []
    while not found or found[-1].last < end:
        first, last = (_moment(billing, zone, each) for each in (month, month + 1))
        month += 1
        if last <= start:
            continue
        # By whole days: a bill from 07-01T08:00 to 08-01T08:00 is July's.
        ends = (date(month // 12, month % 12 + 1, billing.day) - timedelta(days=1)).isoformat()[:7]
        found.append(Bill(ends, first, last, month_name(month - 1), ends))
    return found


def month_name(month: int) -> str:
    """Return 2026-07 for a month counted from year 0."""
    return f"{month // 12:04}-{month % 12 + 1:02}"


def _moment(billing: Billing, zone: ZoneInfo, month: int) -> int:
    local = datetime(month // 12, month % 12 + 1, billing.day, billing.hour, tzinfo=zone)
    return round(local.timestamp()) * 1_000_000_000
