"""Plant time is UTC and an offset, as long as it is said to be."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.web.offset import offset_at

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    "zone", ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Africa/Casablanca", "UTC"]
)
@pytest.mark.parametrize("day", ["2026-01-15", "2026-03-29", "2026-07-01", "2026-10-25", "2026-11-01"])
def test_no_other_offset_holds_in_the_stretch(zone: str, day: str) -> None:
    for hour in range(25):
        now = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000 + hour * HOUR_MS
        found = offset_at(zone, now * 1_000_000)
        assert found.since <= now <= found.until
        for at in range(found.since, found.until, HOUR_MS):
            local = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(zone))
            assert local.utcoffset() == timedelta(milliseconds=found.ms), local


def test_where_no_clock_is_changed_it_holds_for_all_a_page_shows() -> None:
    found = offset_at("Asia/Shanghai", int(datetime(2026, 12, 1, tzinfo=UTC).timestamp()) * 10**9)
    assert found.ms == 8 * HOUR_MS
    assert found.until - found.since >= 2 * 400 * 24 * HOUR_MS
