"""What every test has: a quick default scale, a settable clock, no task left behind, its fault rows."""

import asyncio
import gc
import inspect
import logging
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.lab.report import FaultPage, measure, rows_of
from tests.servers.node_opcua import NodeServer, node_server

os.environ.setdefault("WL_SCALE", "0.1")
# A busy machine is slow, not wrong.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


class FakeClock:
    """A clock that moves when told."""

    def __init__(self, now: int = 1_790_000_000_000_000_000) -> None:
        self.wall = now
        self.steady = 0

    def now(self) -> int:
        return self.wall

    def monotonic(self) -> int:
        return self.steady

    def move(self, seconds: float) -> None:
        self.wall += int(seconds * 1e9)
        self.steady += int(seconds * 1e9)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults-page", type=Path, help="write the page of the fault matrix here")
    parser.addoption("--fault-rows", default="", help="run the tests of these rows alone, as in D1,D2")


def pytest_configure(config: pytest.Config) -> None:
    page = config.getoption("--faults-page")
    if page is not None and not hasattr(config, "workerinput"):  # one of several writes it
        config.pluginmanager.register(FaultPage(page, _asked(config)))
    if hasattr(config, "workerinput") and float(os.environ["WL_SCALE"]) >= 1:
        from tests.turns import Turns

        config.pluginmanager.register(Turns(Path(tempfile.gettempdir())))


LONGEST_FIRST = ("deploy", "system", "browser", "lab", "faults")
"""Folders whose files take minutes: begun last they would leave one of two workers idle."""


def _asked(config: pytest.Config) -> frozenset[str]:
    return frozenset(filter(None, config.getoption("--fault-rows").split(",")))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if asked := _asked(config):
        items[:] = [item for item in items if asked & set(rows_of(item))]
    folders = {name: place for place, name in enumerate(LONGEST_FIRST)}
    here = Path(__file__).parent
    items.sort(key=lambda item: folders.get(item.path.relative_to(here).parts[0], len(folders)))
    for item in items:
        if rows := rows_of(item):
            item.user_properties.append(("fault_rows", rows))
        if inspect.iscoroutinefunction(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.usefixtures("no_task_left_behind"))


def pytest_collection_finish() -> None:
    """What is collected stays: looked through again, it takes a test a second that is held to half of one."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Take away what a test of the command line has set up for its own standard error."""
    root = logging.getLogger()
    for handler in [each for each in root.handlers if type(each) is logging.StreamHandler]:
        root.removeHandler(handler)
        root.setLevel(logging.WARNING)


@pytest.fixture
def record_measure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Say what a fault test measured, for the page: `record_measure("0 wrong of 100,000", row="D2")`."""
    return measure(request)


@pytest.fixture
async def no_task_left_behind() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    left = [task for task in asyncio.all_tasks() - before if not task.done()]
    assert not left, f"tasks left running: {left}"


@pytest.fixture(scope="session")
def opcua_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeServer]:
    """node-opcua, started once; each test makes it the server it needs by `restart`."""
    with node_server(tmp_path_factory.mktemp("node-opcua")) as running:
        yield running
