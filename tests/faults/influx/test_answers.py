"""What a database answers, and what becomes of the rows, a database that hangs among it."""

import asyncio
import email.utils
import logging
import math
import os
import random
import threading
import time
from typing import Any

import numpy as np
import pytest

from connectors import Kind, NotConnected, Rejected
from tests.fakes import T0
from tests.servers.line_protocol import Point
from tests.servers.scripted_influx import OK, Answer, ScriptedInflux, Write, nothing, refusing
from tests.unit.influxdb.plant import TOKEN, columns, delivery, sink, table

pytestmark = pytest.mark.server

ROWS = round(20_000 * float(os.environ.get("WL_SCALE", "0.1")))
MS = 1_000_000


def value(point: Point) -> Any:
    return {key: each for key, each, _ in point.fields}.get("value")


def many(rows: int, *, per_batch: int = 100, first: int = 0) -> list[Any]:
    """Deliveries whose values are 0, 1, 2 … in stored order."""
    return [
        delivery(seq, columns(np.arange(at, at + per_batch, dtype=float), tags=0, time=T0 + seq * MS))
        for seq, at in enumerate(range(0, rows, per_batch), first)
    ]


def refused(error: Rejected) -> set[tuple[int, int]]:
    return {(each.delivery, row) for each in error.refusals for row in each.rows.tolist()}


@pytest.mark.fault("B12")
@pytest.mark.parametrize(("status", "partial"), [(400, False), (422, False), (422, True), (400, True)])
async def test_of_a_refused_write_only_the_bad_rows_are_refused_and_the_others_are_there_in_order(
    status: int, partial: bool, record_measure
) -> None:
    """Bisected to the bad point."""
    bad = set(random.Random(status).sample(range(ROWS), 7)) | {0, ROWS - 1}
    with ScriptedInflux(refusing(lambda point: value(point) in bad, status, partial=partial)) as database:
        async with sink(database.url, batch_rows=5_000) as influx:
            with pytest.raises(Rejected, match=f"refused with {status}: partial write") as raised:
                await influx.write(many(ROWS))
        assert refused(raised.value) == {(each // 100, each % 100) for each in bad}
        stored = database.values()["v"]
        assert sorted(stored.values()) == [each for each in range(ROWS) if each not in bad]
        assert len(database.writes) <= 9 * 2 * (math.log2(5_000) + 2)
        assert influx.statistics()["refused"] == 9
        if not partial:
            arrived = [database.stored[series][at] for series, at in database.order if series[2] == "value"]
            assert arrived == sorted(arrived)
    record_measure(
        f"{status}{', some stored' if partial else ''}: 9 bad of {ROWS:,} points set aside, the rest there, "
        f"{len(database.writes)} requests"
    )


@pytest.mark.fault("B12")
async def test_a_quality_whose_row_was_refused_is_told_with_the_next_row() -> None:
    """Or a tag would look Good that is not known to be."""
    with ScriptedInflux(refusing(lambda point: value(point) == 1.0)) as database:
        async with sink(database.url) as influx:
            with pytest.raises(Rejected):
                await influx.write([delivery(1, columns([1.0]))])
            await influx.write([delivery(2, columns([2.0]))])
        assert list(database.values("quality")["v"].values()) == [0]


@pytest.mark.fault("B12")
async def test_a_row_of_another_type_than_the_database_has_is_refused_alone() -> None:
    """A field conflict that the database itself finds."""
    with ScriptedInflux() as database:
        database.types["wanglian", "integer"] = "float"
        tags = table(Kind.FLOAT64, ["v"])
        from connectors import Tag

        tags.announce([Tag("cz/hall/l1/m1/count", Kind.INT64, "C62", "src")])
        mixed = delivery(1, columns([1.0, 2.0], tags=0), columns([5], tags=1, dtype=np.int64))
        async with sink(database.url, tags) as influx:
            with pytest.raises(Rejected, match="field type conflict") as raised:
                await influx.write([mixed, *many(100, first=2)])
        assert refused(raised.value) == {(0, 2)}
        assert len(database.values()["v"]) == 102


@pytest.mark.fault("B12")
async def test_what_is_too_large_is_sent_in_smaller_pieces_and_the_size_is_remembered(record_measure) -> None:
    """413."""

    def script(write: Write) -> Answer:
        return Answer(413, stores=nothing) if len(write.points) > 300 else OK

    with ScriptedInflux(script) as database:
        async with sink(database.url) as influx:
            await influx.write(many(1_000))
            before = len(database.writes)
            await influx.write(many(1_000, first=10))
        assert len(database.values()["v"]) == 2_000
        assert all(len(write.points) <= 300 for write in database.writes[before:])
    record_measure("413 above 300 points: 2,000 of 2,000 there, none refused twice for its size")


@pytest.mark.fault("B12")
async def test_a_row_that_is_too_large_by_itself_is_refused() -> None:
    """413 for a single line."""

    def script(write: Write) -> Answer:
        return Answer(413, stores=nothing) if len(write.body) > 2_000 else OK

    texts = ["a", "b" * 5_000, "c"]
    with ScriptedInflux(script) as database:
        async with sink(database.url, table(Kind.TEXT)) as influx:
            with pytest.raises(Rejected, match="too large") as raised:
                await influx.write([delivery(1, columns(texts, tags=0, dtype=object))])
        assert refused(raised.value) == {(0, 1)}
        assert sorted(database.values("text")["v"].values()) == ["a", "c"]


@pytest.mark.fault("B12")
@pytest.mark.parametrize(
    ("status", "person", "says"),
    [
        (401, True, "check `token`"),
        (403, True, "the token may not write here"),
        (404, True, "check `url`, `org` and `bucket`"),
        (307, True, "check `url`"),
        (405, True, "check `url`"),
        (429, False, "429"),
        (500, False, "500"),
        (503, False, "503"),
        (504, False, "504"),
    ],
)
async def test_an_answer_that_is_not_about_rows_ends_the_session(
    status: int, person: bool, says: str, record_measure
) -> None:
    """Nothing is refused, nothing is tried again at once."""
    with ScriptedInflux(lambda _: Answer(status, stores=nothing, headers={"Location": "/x"})) as database:
        async with sink(database.url) as influx:
            with pytest.raises(NotConnected, match=says) as raised:
                await influx.write(many(200))
        assert raised.value.needs_a_person == person
        assert len(database.writes) == 1
    record_measure("401, 403, 404, 307, 405, 429, 500, 503, 504: nothing set aside, one request each")


@pytest.mark.fault("B12")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("99999999", 3600.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_the_wish_for_patience_is_passed_on(status: int, text: str, seconds: float | None) -> None:
    """Retry-After."""
    with ScriptedInflux(lambda _: Answer(status, headers={"Retry-After": text})) as database:
        async with sink(database.url) as influx:
            with pytest.raises(NotConnected) as raised:
                await influx.write(many(100))
    assert raised.value.retry_after_s == seconds
    # A proxy's bare 503 stands for a database that is away.
    assert raised.value.turned_away == (status == 429 or seconds is not None)


@pytest.mark.fault("B12")
async def test_the_wish_for_patience_may_be_a_date(record_measure) -> None:
    """Retry-After as an HTTP date."""
    date = email.utils.formatdate(time.time() + 90, usegmt=True)
    with ScriptedInflux(lambda _: Answer(503, headers={"Retry-After": date})) as database:
        async with sink(database.url) as influx:
            with pytest.raises(NotConnected) as raised:
                await influx.write(many(100))
    assert raised.value.retry_after_s == pytest.approx(90, abs=10)
    record_measure("Retry-After as seconds or date: waited for, an hour at most")


@pytest.mark.fault("B6")
async def test_an_answer_lost_after_the_rows_were_stored_leaves_no_double(record_measure) -> None:
    """The same rows again, from an earlier place, by a sink that knows nothing."""
    answers = [OK, Answer(drops=True)]
    with ScriptedInflux(lambda _: answers.pop(0) if answers else OK) as database:
        deliveries = many(1_000)
        async with sink(database.url) as influx:
            await influx.write(deliveries[:4])
            with pytest.raises(NotConnected, match="broke off"):
                await influx.write(deliveries[4:8])
        async with sink(database.url) as influx:
            await influx.write(deliveries[2:])
        assert sorted(database.values()["v"].values()) == list(range(1_000))
        assert len(database.order) > 1_000
    record_measure(f"the answer to a write lost: {len(database.order):,} points came, 1,000 after the upsert")


@pytest.mark.fault("B2")
async def test_a_database_that_hangs_is_found_and_does_not_hold_the_end() -> None:
    """A connection on which nothing comes back."""
    with ScriptedInflux(lambda _: Answer(hangs=True)) as database:
        began = time.monotonic()
        async with sink(database.url, timeout="300ms") as influx:
            with pytest.raises(NotConnected, match=r"did not answer within 0\.3 s"):
                await influx.write(many(100))
        assert time.monotonic() - began < 5


@pytest.mark.fault("B3")
async def test_what_a_slow_line_does_not_carry_in_time_is_sent_in_smaller_pieces_until_it_passes(
    record_measure,
) -> None:
    """One delivery of the size of a whole scan, that no smaller write of the gateway could cut."""
    room = 4_000

    def script(write: Write) -> Answer:
        return Answer(hangs=True, stores=nothing) if len(write.body) > room else OK

    sessions = 0
    with ScriptedInflux(script) as database:
        influx = sink(database.url, timeout="200ms")
        whole = many(2_000, per_batch=2_000)
        while True:
            sessions += 1
            assert sessions < 10, "the same request again and again"
            try:
                async with influx:
                    await influx.write(whole)
            except NotConnected:
                continue
            break
        assert sorted(database.values()["v"].values()) == list(range(2_000))
    record_measure(f"a scan of 2,000 points where {room:,} bytes pass in time: through in session {sessions}")


@pytest.mark.fault("A14")
async def test_a_write_that_is_cancelled_is_left_at_once() -> None:
    """The thread that waits for an answer holds neither the loop nor the program's end."""
    with ScriptedInflux(lambda _: Answer(hangs=True)) as database:
        async with sink(database.url, timeout="60s") as influx:
            task = asyncio.create_task(influx.write(many(100)))
            while not database.writes:
                await asyncio.sleep(0.01)
            task.cancel()
            began = time.monotonic()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert time.monotonic() - began < 4
        ours = [each for each in threading.enumerate() if each.name.startswith("influxdb ")]
        assert all(each.daemon for each in ours)


@pytest.mark.fault("B10")
async def test_a_database_that_does_not_speak_http_is_told_from_one_that_is_away() -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\xff not http\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotConnected, match=r"not HTTP|broke off"):
            async with sink(f"http://127.0.0.1:{port}"):
                pass


@pytest.mark.fault("B12")
async def test_words_that_are_not_utf_8_end_the_session_and_are_no_bug() -> None:
    with ScriptedInflux(lambda _: Answer(500, b"\xff\xfe")) as database:
        async with sink(database.url) as influx:
            with pytest.raises(NotConnected):
                await influx.write(many(100))


@pytest.mark.fault("B12")
@pytest.mark.parametrize(
    ("status", "body"), [(200, b"<html>"), (200, b'{"error":"no"}'), (201, b""), (202, b"")]
)
async def test_an_answer_that_only_sounds_like_success_is_none(status: int, body: bytes) -> None:
    """A login page, a web server that answers 200 to whatever is asked, a part stored."""
    answer = Answer(status, body, stores=nothing)
    with ScriptedInflux(lambda _: answer, ping=answer) as database:
        async with sink(database.url) as influx:
            with pytest.raises(NotConnected, match=f"answered {status} to a write") as raised:
                await influx.write(many(100))
        assert raised.value.needs_a_person
        assert len(database.writes) == 1


@pytest.mark.fault("B12")
@pytest.mark.parametrize("status", [401, 403, 503])
async def test_a_ping_that_is_refused_is_not_connected(status: int) -> None:
    with ScriptedInflux(ping=Answer(status)) as database:
        with pytest.raises(NotConnected, match=str(status)) as raised:
            async with sink(database.url):
                pass
        assert raised.value.needs_a_person == (status < 500)


@pytest.mark.fault("S11")
@pytest.mark.parametrize("status", [400, 401, 500])
async def test_the_token_is_sent_and_never_told(status: int, caplog: pytest.LogCaptureFixture) -> None:
    """Even when the database repeats it."""
    caplog.set_level(logging.DEBUG)
    said = f'{{"message":"no good: Token {TOKEN}"}}'.encode()
    with ScriptedInflux(lambda _: Answer(status, said, stores=nothing)) as database:
        async with sink(database.url, token=True) as influx:
            with pytest.raises((NotConnected, Rejected), match="no good") as raised:
                await influx.write(many(100)[:1])
        assert database.writes[0].headers["Authorization"] == f"Token {TOKEN}"
    assert TOKEN not in str(raised.value)
    assert TOKEN not in repr(raised.value.__cause__)
    assert TOKEN not in caplog.text


async def test_what_is_asked_is_what_the_plant_says() -> None:
    with ScriptedInflux() as database:
        async with sink(database.url, measurement="line_7", gzip=True) as influx:
            await influx.write(many(100))
        (write,) = database.writes
    assert write.query == {"org": "factory", "bucket": "plant", "precision": "ns"}
    assert write.headers["Content-Encoding"] == "gzip"
    assert "Authorization" not in write.headers
    assert {point.measurement for point in write.points} == {"line_7"}


async def test_requests_stay_within_rows_and_bytes_and_the_order() -> None:
    with ScriptedInflux() as database:
        async with sink(database.url, batch_rows=250, batch_bytes="8KiB") as influx:
            await influx.write(many(1_000, per_batch=500))
        assert all(len(write.points) <= 250 and len(write.body) <= 8192 for write in database.writes)
        arrived = [value(point) for write in database.writes for point in write.points]
    assert arrived == list(range(1_000))


async def test_one_connection_carries_a_session() -> None:
    with ScriptedInflux() as database:
        async with sink(database.url) as influx:
            for seq in range(20):
                await influx.write(many(100, first=seq))
        assert database.connections == 1
