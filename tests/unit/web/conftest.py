"""A view of a plant that was made by hand: no process, no port."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connectors import Batch, Columns, Kind, Part, Tag, TagTable
from connectors.tags import DTYPE_OF_PART, PART_OF_KIND
from gateway.live import LiveReader, LiveValues
from gateway.supervise import LinkState
from gateway.told import About, LinkTold, Told
from gateway.web.catalogue import Catalogue
from gateway.web.view import View
from tests.fakes import T0

EVERYTHING = (("**", None, None),)


class Plant(View):
    """Knows what it is told."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 0)
        self.tags = TagTable()
        self.live = LiveValues(folder / "live", self.tags)
        self._reader = LiveReader(folder / "live")
        self.looks = 0
        self.answers = True
        self.told = Told("g1", "cz", "Asia/Shanghai", T0, T0, (), (), {"bytes": 1e6, "rows": 10.0}, 10**9)

    async def fresh(self, within_s: float = 1.0) -> None:
        del within_s
        self.looks += 1

    def link(self, name: str, role: Any = "source") -> LinkTold:
        return next(each for each in self.told.links if (each.name, each.about.role) == (name, role))

    def add_link(self, name: str, role: Any = "source", **changes: Any) -> None:
        about = About(role, "modbus_tcp", "127.0.0.1:502", EVERYTHING if role == "sink" else ())
        link = LinkTold(
            name, about, LinkState.CONNECTED, T0 - 10**12, "", T0 - 10**12, T0, "", 0, {"sessions": 1.0}
        )
        self.told = replace(self.told, links=(*self.told.links, replace(link, **changes)))

    def change(self, name: str, **changes: Any) -> None:
        links = tuple(replace(each, **changes) if each.name == name else each for each in self.told.links)
        self.told = replace(self.told, links=links)

    def announce(self, *tags: Tag) -> list[int]:
        numbers = self.tags.announce(tags).tolist()
        self._see()
        return numbers

    def put(self, number: int, value: Any, quality: int = 0, time: int = T0) -> None:
        part = Columns(
            np.array([number], np.int32),
            np.array([time], np.int64),
            np.array([value], DTYPE_OF_PART[Part(PART_OF_KIND[self.tags[number].kind])]),
            np.array([quality], np.uint32),
        )
        batch = Batch((part,), time)
        self.live.put(batch, batch)
        self._see()

    def _see(self) -> None:
        self.live.refresh()
        self.values = self._reader.snapshot()
        known = {n: self.tags[n] for n in self.tags.active().tolist()}
        self.catalogue = Catalogue(known, self.values.version)


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path)
    yield made
    made.live.close()


def tag(path: str, kind: Kind = Kind.FLOAT64, unit: str = "KWT", source: str = "meters", **more: Any) -> Tag:
    return Tag(path, kind, unit, source, **more)
