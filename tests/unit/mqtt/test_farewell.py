"""The catalogue of a device that is renamed or removed does not stay at the broker."""

import json
from dataclasses import replace

import pytest

from connectors import Context, Kind, Tag, TagTable
from connectors.mqtt.form import Limit
from connectors.mqtt.forms.announcements import Announcements
from tests.conftest import FakeClock

OLD, NEW = "cz/press/line1/m1", "cz/press/line2/m9"


def tag(device: str, was: str = "") -> Tag:
    return Tag(f"{device}/power", Kind.FLOAT64, "KWT", "plc", was=was)


class Told:
    """What was told beside the data, by topic."""

    def __init__(self, tags: TagTable, clock: FakeClock) -> None:
        self._clock = clock
        self._beside = Announcements("wl", "cz", Context("g", tags, clock, status=dict))
        self._beside.begin(Limit(lambda _: 10_000))

    def now(self) -> dict[str, bytes]:
        said = [each for each in self._beside.due(self._clock.monotonic()) if each is not None]
        assert all(each.retain for each in said)
        return {each.topic: each.payload for each in said if each.topic.endswith("_tags")}


@pytest.mark.fault("H5")
def test_a_renamed_device_is_told_by_its_new_name_and_taken_away_by_its_old_one(clock: FakeClock) -> None:
    tags = TagTable()
    tags.announce([tag(OLD)])
    told = Told(tags, clock)
    assert set(told.now()) == {f"wl/{OLD}/_tags"}
    tags.renamed = {NEW: OLD}
    tags.announce([tag(NEW)])
    assert json.loads(told.now()[f"wl/{NEW}/_tags"])["tags"]["power"]["was"] == f"{OLD}/power"
    clock.move(9)
    assert told.now() == {}  # a source that begins anew has no tags for a moment
    clock.move(2)
    assert told.now() == {f"wl/{OLD}/_tags": b""}
    clock.move(60)
    assert told.now() == {}
    # Who connects later, or after a restart, knows it too.
    reopened = TagTable([(0, tags[0])])
    reopened.renamed = tags.renamed
    reopened.announce([tag(NEW)])
    later = Told(reopened, clock)
    assert set(later.now()) == {f"wl/{NEW}/_tags"}
    clock.move(11)
    assert later.now() == {f"wl/{OLD}/_tags": b""}


def test_a_device_that_comes_back_is_told_again(clock: FakeClock) -> None:
    tags = TagTable()
    numbers = tags.announce([tag(OLD)])
    told = Told(tags, clock)
    told.now()
    tags.keep_only("plc", numbers[:0])
    told.now()
    clock.move(11)
    assert told.now() == {f"wl/{OLD}/_tags": b""}
    tags.announce([tag(OLD)])
    assert set(told.now()) == {f"wl/{OLD}/_tags"}


def test_a_unit_that_is_changed_and_changed_back_is_told_both_times(clock: FakeClock) -> None:
    """The rows of now say no unit: who reads them goes by the catalogue the broker keeps."""
    tags = TagTable()
    told = Told(tags, clock)
    units = []
    for unit in ("KWT", "WTT", "KWT"):
        tags.announce([replace(tag(OLD), unit=unit)])
        units.append(json.loads(told.now()[f"wl/{OLD}/_tags"])["tags"]["power"]["unit"])
    assert units == ["KWT", "WTT", "KWT"]
