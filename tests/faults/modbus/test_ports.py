"""On a serial line: a port whose driver hangs is left to itself."""

import asyncio
import threading
from pathlib import Path

import pytest

from connectors import NotConnected
from connectors.line import serial as serial_module
from tests.faults.modbus.lab import device, source


@pytest.mark.fault("D1")
async def test_a_driver_that_hangs_holds_one_thread_however_often_it_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is none of asyncio's, which read the store and hold up the program's end."""
    free = threading.Event()
    path = tmp_path / "hung"

    def hang(*_: object) -> None:
        free.wait(30)
        raise OSError("gone")

    monkeypatch.setattr(serial_module._Port, "__init__", hang)
    it = source(path, {"d": device()})
    try:
        with pytest.raises(NotConnected, match="did not open"):
            await it.__aenter__()
        for _ in range(20):
            with pytest.raises(NotConnected, match="still being opened"):
                await it.__aenter__()
        (opening,) = [each for each in threading.enumerate() if each.name == f"open {path}"]
        assert opening.daemon
        assert not [each for each in threading.enumerate() if each.name.startswith("asyncio")]
    finally:
        free.set()
    while opening.is_alive():
        await asyncio.sleep(0.01)
    with pytest.raises(NotConnected, match="can't be opened: gone"):
        await it.__aenter__()
