"""The proxy makes a network bad in each of its ways, while it runs, and is good otherwise."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from gateway.lab.control import controlled, tell
from gateway.lab.proxy import Proxy
from gateway.lab.weather import Change, Weather

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that sends everything back."""

    serving = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.CancelledError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)


@asynccontextmanager
async def through(weather: Weather | None = None, **more: object) -> AsyncIterator[tuple[Proxy, Ends]]:
    """A connection to the echo through a proxy."""
    async with (
        asyncio.timeout(30),
        echo() as port,
        Proxy("127.0.0.1", port, weather=weather, **more) as proxy,  # type: ignore[arg-type]
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        try:
            yield proxy, (reader, writer)
        finally:
            writer.transport.abort()


async def sent_and_back(ends: Ends, data: bytes) -> bytes:
    reader, writer = ends
    writer.write(data)
    return await reader.readexactly(len(data))


async def nothing_comes(reader: asyncio.StreamReader, within_s: float = 0.3) -> bool:
    try:
        await asyncio.wait_for(reader.read(1), within_s)
    except TimeoutError:
        return True
    return False


async def test_without_weather_everything_passes_unchanged() -> None:
    data = bytes(range(256)) * 4000
    async with through() as (proxy, (reader, writer)):
        writing = asyncio.create_task(_write(writer, data))
        assert await reader.readexactly(len(data)) == data
        await writing
        assert proxy.octets == {"up": len(data), "down": len(data)}


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def test_latency_delays_both_ways_and_keeps_the_order() -> None:
    async with through(Weather(latency="100ms", jitter="50ms")) as (_, ends):  # type: ignore[arg-type]
        began = asyncio.get_running_loop().time()
        for i in range(20):
            ends[1].write(b"%03d " % i)
            await asyncio.sleep(0.001)
        assert await ends[0].readexactly(80) == b"".join(b"%03d " % i for i in range(20))
        assert asyncio.get_running_loop().time() - began >= 0.2


async def test_bandwidth_lets_no_more_through_than_it_says() -> None:
    size = 20_000
    async with through(Weather(bandwidth="400kbit/s", direction="up")) as (_, ends):  # type: ignore[arg-type]
        began = asyncio.get_running_loop().time()
        await sent_and_back(ends, bytes(size))
        assert asyncio.get_running_loop().time() - began >= size / 50_000 * 0.99


async def test_a_black_hole_swallows_and_tells_nobody_until_it_is_gone() -> None:
    async with through() as (proxy, ends):
        assert await sent_and_back(ends, b"before") == b"before"
        proxy.weather = proxy.weather.changed(black_hole=True)
        ends[1].write(b"lost")
        assert await nothing_comes(ends[0])
        proxy.weather = Weather()
        assert await sent_and_back(ends, b"after") == b"after"


async def test_dropped_pieces_are_holes_in_the_stream_and_the_same_again_for_a_seed() -> None:
    async def kept(seed: int) -> bytes:
        async with through(Weather(drop=0.5, direction="down"), seed=seed) as (proxy, (reader, writer)):
            for i in range(40):
                before = proxy.octets["down"]
                writer.write(bytes((i,)))
                while proxy.octets["down"] == before:
                    await asyncio.sleep(0)
            writer.write_eof()
            return await reader.read()

    first = await kept(1)
    assert 5 < len(first) < 35
    assert await kept(1) == first
    assert await kept(2) != first


async def test_corruption_turns_one_bit_of_a_piece() -> None:
    async with through(Weather(corrupt=1, direction="up")) as (_, ends):
        got = await sent_and_back(ends, bytes(8))
        assert sum(octet.bit_count() for octet in got) == 1


async def test_slices_come_apart() -> None:
    async with through(Weather(slice=3, pause="20ms", direction="down")) as (_, (reader, writer)):  # type: ignore[arg-type]
        began = asyncio.get_running_loop().time()
        writer.write(b"abcdefgh")
        assert await reader.readexactly(8) == b"abcdefgh"
        assert asyncio.get_running_loop().time() - began >= 2 * 0.02 * 0.9


async def test_a_target_that_refuses_ends_the_connection() -> None:
    async with echo() as port:
        pass
    async with Proxy("127.0.0.1", port) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await reader.read() == b""
        writer.close()


async def test_a_connection_is_reset_when_so_many_bytes_have_passed(caplog: pytest.LogCaptureFixture) -> None:
    async with through(Weather(reset_after=1000)) as (proxy, (reader, writer)):
        writer.write(bytes(2000))
        with pytest.raises(ConnectionResetError):
            while await reader.read(4096):
                pass
        assert proxy.open == 0
    assert not caplog.records, "nothing is left unhandled"


async def test_reset_is_heard_as_one_and_the_next_connection_is_taken() -> None:
    async with through() as (proxy, ends):
        await sent_and_back(ends, b"x")
        await proxy.reset()
        with pytest.raises(ConnectionResetError):
            await ends[0].read(1)
        again = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await sent_and_back(again, b"y") == b"y"
        again[1].close()


async def test_cut_refuses_and_mend_listens_on_the_same_port() -> None:
    async with through() as (proxy, ends):
        await sent_and_back(ends, b"x")
        await proxy.cut()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        await proxy.mend()
        again = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await sent_and_back(again, b"y") == b"y"
        again[1].close()


async def test_an_abandoned_connection_is_half_open() -> None:
    async with through() as (proxy, ends):
        await sent_and_back(ends, b"x")
        await proxy.abandon()
        ends[1].write(b"into the void")
        assert await nothing_comes(ends[0]), "neither an answer nor an end"


async def test_a_script_changes_the_weather_in_its_time() -> None:
    script = [
        Change.model_validate({"at": "200ms", "set": {"black_hole": False}}),
        Change.model_validate({"at": "0s", "set": {"black_hole": True}}),
    ]
    async with through(script=script) as (proxy, ends):
        while not proxy.weather.black_hole:
            await asyncio.sleep(0.001)
        ends[1].write(b"lost")
        while proxy.weather.black_hole:
            await asyncio.sleep(0.001)
        assert await sent_and_back(ends, b"heard") == b"heard"


async def test_orders_come_over_a_local_socket_and_are_answered() -> None:
    async with through() as (proxy, ends), controlled(proxy) as port:
        await sent_and_back(ends, b"x")
        answer = await tell(port, {"set": {"latency": "5ms", "black_hole": True}})
        assert answer["open"] == 1
        assert answer["weather"]["latency"] == 0.005
        assert proxy.weather.black_hole
        assert "not a duration" in (await tell(port, {"set": {"latency": "5 x"}}))["error"]
        assert "Extra" in (await tell(port, {"set": {"colour": "red"}}))["error"]
        assert "do" in (await tell(port, {"do": "explode"}))["error"]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"no json\n")
        assert "error" in json.loads(await reader.readline())
        writer.close()
        assert (await tell(port, {"do": "cut"}))["open"] == 0
