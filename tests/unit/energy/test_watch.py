"""Balance and demand are watched: an alarm begins once, ends once, and a restart repeats nothing."""

from fractions import Fraction
from pathlib import Path

import pytest

from connectors import Kind, TagTable
from gateway.energy.balance import balance
from gateway.energy.watch import SOURCE, Turned, Watch, say
from tests.unit.energy.lab import MINUTE, Lab, plant_of

TAGS = {name: {"e_import": {"unit": "kWh"}} for name in ("main", "press", "oven")}
ENERGY = {
    "meters": {
        "main": {"unaccounted": 5, "contract": 100},
        "press": {"parent": "main"},
        "oven": {"parent": "main"},
    }
}
HOUR = 60 * MINUTE


class Site:
    """A supply of one kWh a minute; press and oven find a share of it that changes by the hour."""

    def __init__(self, folder: Path) -> None:
        self.lab = Lab(folder, plant_of(ENERGY, tags=TAGS), now="2026-03-07")
        self.start = self.lab.at("2026-03-06T08:00")
        self.total = dict.fromkeys(TAGS, 0.0)
        self.minute = 0
        self.silent: set[str] = set()
        self.tags = TagTable()
        self.watch = self.watching()

    def watching(self, token: bytes | None = None) -> Watch:
        watch = Watch(self.lab.query, self.lab.meters, 95, "s")
        watch.begin(self.tags, token)
        return watch

    def run(self, minutes: int, lost: float = 0.0, kwh: float = 1.0, every: int = 1) -> list[Turned]:
        """Let minutes pass in which this share is lost; look every so many; return what turned."""
        turned, waiting = [], []
        for _ in range(minutes):
            now = self.start + self.minute * MINUTE
            waiting += [
                self.lab.delivery(name, [now], [self.total[name]]) for name in TAGS if name not in self.silent
            ]
            for name, share in (("main", 1.0), ("press", 0.5), ("oven", 0.5 - lost)):
                self.total[name] = round(self.total[name] + kwh * share, 6)
            if self.minute % every == 0:
                self.lab.book(*waiting)
                waiting = []
                self.look = self.watch.look(now)
                turned += self.look.turned
            self.minute += 1
        if waiting:
            self.lab.book(*waiting)
        return turned

    def told(self) -> dict[str, float]:
        """Return the last look's rows by the tags' paths."""
        return {self.tags[number].path: value for number, _, value in self.look.rows}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_balance_alarm_begins_with_the_second_bad_hour_and_ends_with_the_second_good_one(
    site: Site,
) -> None:
    assert site.run(61, every=15) == []
    assert site.run(120, lost=0.2, every=15) == [], (
        "the second bad hour is judged a quarter of an hour after its end"
    )
    (begun,) = site.run(20, every=5)
    assert (begun.code, begun.meter, begun.state.is_active) == ("E-EN-0006", "main", True)
    assert begun.state.since == site.start + 3 * HOUR
    assert begun.facts == {"unaccounted_percent": 20.0, "allowed_percent": 5.0}
    (over,) = site.run(120, every=15)
    assert (over.state.is_active, over.state.since) == (False, site.start + 5 * HOUR)
    assert site.watch.active("balance") == 0


def test_one_bad_hour_between_good_ones_is_no_alarm(site: Site) -> None:
    assert site.run(61, every=15) + site.run(60, lost=0.3, every=15) + site.run(180, every=15) == []


def test_a_meter_that_stopped_within_an_hour_is_no_loss(site: Site) -> None:
    site.run(61 + 30, every=15)
    site.silent = {"oven"}
    assert site.run(180, every=5) == []
    told = site.told()
    assert "s/_energy/balance/main/unaccounted" not in told
    (hour,) = balance(site.lab.query, "main", "60min", site.start + HOUR, site.start + 2 * HOUR)
    assert hour.measured == 60
    assert hour.found is not None
    assert hour.found < 60
    assert (hour.unaccounted, hour.share, hour.is_alarm) == (None, None, False)


def test_each_judged_hour_tells_its_share_and_the_alarm_as_tags(site: Site) -> None:
    site.run(61, every=15)
    site.run(14, lost=0.2, every=1)
    assert site.told().keys() == {"s/_energy/demand/main/forecast", "s/_energy/demand/main/alarm"}
    site.run(1, lost=0.2)
    told = site.told()
    assert told["s/_energy/balance/main/unaccounted"] == 0
    assert told["s/_energy/balance/main/alarm"] == 0
    kinds = {
        self_tag.path.rpartition("/")[2]: (self_tag.kind, self_tag.unit)
        for self_tag in site.tags.known_of(SOURCE)
    }
    assert kinds == {
        "forecast": (Kind.FLOAT64, "KWT"),
        "unaccounted": (Kind.FLOAT64, "P1"),
        "alarm": (Kind.BOOL, "C62"),
    }
    batch = site.look.batch(1)
    assert len(batch) == len(told)


def test_a_demand_alarm_begins_after_a_minute_and_ends_well_below_the_contract(site: Site) -> None:
    assert site.run(20, kwh=1.5) == []
    # 120 kW from minute 20 on: by minute 22 the forecast has been above 95 kW for a minute.
    turned = site.run(8, kwh=2.0)
    (begun,) = turned
    assert (begun.code, begun.meter, begun.state.is_active) == ("E-EN-0004", "main", True)
    assert begun.facts["contract_kw"] == 100.0
    assert begun.state.since < site.start + 28 * MINUTE
    assert site.watch.active("demand") == 1
    assert site.run(30, kwh=1.55) == [], "93 kW is below the warning share, not below it by the dead zone"
    (over,) = site.run(12, kwh=1.0)
    assert not over.state.is_active


def test_a_restart_takes_the_alarms_up_and_repeats_none(site: Site) -> None:
    (begun,) = site.run(30, kwh=2.0)
    assert begun.state.is_active
    site.watch = site.watching(site.watch.token())
    assert site.watch.active("demand") == 1
    assert site.run(15, kwh=2.0) == []
    (over,) = site.run(30, kwh=0.5)
    assert not over.state.is_active


def test_the_log_is_told_with_warning_when_it_begins_and_info_when_it_is_over(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        for each in [*site.run(30, kwh=2.0), *site.run(40, kwh=0.5)]:
            say(each)
    assert [(each.levelname, each.__dict__["code"]) for each in caplog.records] == [
        ("WARNING", "E-EN-0004"), ("INFO", "E-EN-0004"),
    ]  # fmt: skip


def test_a_forecast_is_told_once_a_minute_and_no_more(site: Site) -> None:
    site.run(40)
    now = site.start + (site.minute - 1) * MINUTE
    assert site.watch.look(now).rows == []
    assert site.watch.forecasts["main"].contract == Fraction(100)
