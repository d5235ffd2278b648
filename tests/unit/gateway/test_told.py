import asyncio
import contextlib
import http.client
import urllib.request

import pytest

from config.connections import MqttSink
from gateway.http import StatusServer
from gateway.observe import Observer, Sample
from gateway.supervise import Link, LinkState
from gateway.told import TOLD, About, Told, links_told, peer, store_told


def told(observer: Observer, about: dict[tuple[str, str], About]) -> Told:
    snapshot = observer.snapshot()
    links = tuple(links_told(observer, snapshot, about))
    return Told("g", "s", "Asia/Shanghai", 5, 1, (), links, store_told(snapshot), 100)


async def test_the_pages_process_is_told_what_metrics_tell_link_by_link(clock) -> None:
    observer = Observer()
    observer.links += [Link("line", "source", clock), Link("line", "sink", clock)]
    observer.links[0].moved(7)
    dropped = [
        Sample("sink_dropped_rows", n, {"sink": "line", "reason": why})
        for n, why in ((2, "full"), (3, "age"))
    ]
    observer.ask_samples(lambda: [*dropped, Sample("store_bytes", 9.0)])
    about = {("source", "line"): About("source", "modbus_tcp"), ("sink", "line"): About("sink", "mqtt")}
    expected = told(observer, about)

    async with StatusServer(0, observer.snapshot, lambda: told(observer, about)) as server:

        def ask() -> bytes:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/told", timeout=5) as answer:
                return answer.read()

        heard = TOLD.validate_json(await asyncio.to_thread(ask))

        def ask_by_another_name() -> int:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
            connection.request("GET", "/told", headers={"Host": "evil.example"})
            with contextlib.closing(connection):
                return connection.getresponse().status

        assert await asyncio.to_thread(ask_by_another_name) == 421
    assert heard == expected
    source, sink = heard.links
    assert (source.counts["rows"], source.moved_at) == (7.0, clock.now())
    assert sink.counts["dropped_rows"] == 5.0
    assert "dropped_rows" not in source.counts
    assert heard.store == {"bytes": 9.0}


def test_the_history_is_a_link_with_its_own_size_and_lag(clock) -> None:
    observer = Observer()
    observer.links.append(Link("local", "history", clock))
    observer.links[0].moved(7)
    observer.ask("history", {}, lambda: {"bytes": 4096.0, "backlog_oldest_seconds": 2.5}, is_counter=False)
    about = {("history", "local"): About("history", "history")}
    (link,) = told(observer, about).links
    assert (link.name, link.about.role) == ("local", "history")
    assert (link.counts["bytes"], link.counts["backlog_oldest_seconds"], link.counts["rows"]) == (
        4096,
        2.5,
        7,
    )
    assert observer.snapshot().health["links"].keys() == {"history/local"}


def test_a_link_remembers_its_last_error_and_since_when_it_is_down(clock) -> None:
    link = Link("m", "source", clock)
    link.become(LinkState.CONNECTING)
    began = clock.now()
    for _ in range(3):
        clock.move(5)
        link.become(LinkState.WAITING, "refused")
        clock.move(5)
        link.become(LinkState.CONNECTING, "refused")
    assert link.down_since == began
    clock.move(5)
    link.become(LinkState.CONNECTED)
    assert (link.error, link.last_error, link.down_since) == ("", "refused", 0)
    assert link.connected_at == clock.now()
    assert link.failed_at == clock.now() - 10 * 10**9
    clock.move(5)
    link.become(LinkState.WAITING, "cable")
    assert (link.down_since, link.last_error) == (clock.now(), "cable")


def test_nothing_moved_is_not_a_moment_at_which_something_moved(clock) -> None:
    link = Link("m", "sink", clock)
    link.moved(0)
    assert link.moved_at == 0


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (MqttSink(kind="mqtt", host="b.example"), "b.example:1883"),
        (MqttSink(kind="mqtt", host="b.example", port=99), "b.example:99"),
    ],
)
def test_a_peer_is_shown_as_a_person_writes_it(options, shown) -> None:
    assert peer(options) == shown
