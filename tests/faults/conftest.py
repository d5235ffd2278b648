"""What tests of several protocols begin with: a broker that logs errors, and one who publishes to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client

from tests.servers.broker import Broker, publishing


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", settings=("log_type error",)) as started:
        yield started


@pytest.fixture
def publisher(broker: Broker) -> Iterator[Client]:
    yield from publishing(broker)
