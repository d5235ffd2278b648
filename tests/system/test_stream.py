"""Server-sent events of a running gateway: whole batches with their place, resumed without a hole."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from gateway.web.stream import MOST_SUBSCRIBERS
from tests.processes import free_port, python, started, wait_for

Event = tuple[str, str, list[Any]]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("stream")
    port = free_port()
    device = {"scan": "50ms", "tags": {"text": {"shape": "text"}, "wave": {}}}
    plant = {
        "gateway": {"id": "g1", "site": "cz", "http_port": free_port()},
        "page": {"port": port},
        "sources": {"sim": {"kind": "simulated", "devices": {"mill": device, "press": device}}},
    }
    file = folder / "plant.yaml"
    file.write_text(json.dumps(plant))
    url = f"http://127.0.0.1:{port}"
    with started("gateway", python("-m", "gateway", "run", file), folder):
        wait_for(lambda: newest(url) > 20, "stored batches", 60)
        yield url


def opened(url: str, **headers: str) -> Any:
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20)


def get(url: str) -> bytes:
    with opened(url) as answer:
        body: bytes = answer.read()
        return body


def refusal(url: str) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as refused:
        opened(url)
    with refused.value as answer:
        return answer.code, answer.read().decode()


def newest(url: str) -> int:
    try:
        return int(json.loads(get(f"{url}/api/stream/position"))["newest"].partition(",")[2])
    except OSError:
        return -1


def events(answer: Any) -> Iterator[Event]:
    """Yield (event, id, data a line); told from the bytes, as the standard has it."""
    kind, place, data = "message", "", []
    for raw in answer:
        line = raw.decode().rstrip("\n")
        name, _, value = line.partition(": ")
        match name:
            case "event":
                kind = value
            case "id":
                place = value
            case "data" if value:
                data.append(json.loads(value))
            case "" if not line and (data or place):
                yield kind, place, data
                kind, place, data = "message", "", []


def take(url: str, count: int, **headers: str) -> list[Event]:
    with opened(url, **headers) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        return [each for each, _ in zip(events(answer), range(count), strict=False)]


def seqs(taken: list[Event]) -> list[int]:
    return [int(place.partition(",")[2]) for _, place, _ in taken]


def test_an_event_is_a_whole_batch_and_its_id_leads_on_without_a_hole(page: str) -> None:
    first = take(f"{page}/api/stream?after=oldest", 10)
    assert {kind for kind, _, _ in first} == {"rows"}
    assert all(line["seq"] == int(place.partition(",")[2]) for _, place, data in first for line in data)
    # A browser repeats the address and says where it is in a header.
    on = take(f"{page}/api/stream?after=oldest", 10, **{"Last-Event-ID": first[-1][1]})
    assert seqs([*first, *on]) == list(range(seqs(first)[0], seqs(first)[0] + 20))
    live = take(f"{page}/api/stream", 2)
    assert seqs(live)[0] > seqs(on)[-1]


def test_a_selection_gets_its_rows_alone_and_is_told_where_it_is_meanwhile(page: str) -> None:
    some = take(f"{page}/api/stream?after=oldest&select={urllib.parse.quote('**/press/wave')}", 5)
    assert {(line["dev"], *line["tags"]) for _, _, data in some for line in data} == {
        ("cz/-/-/press", "wave")
    }
    nothing = take(f"{page}/api/stream?after=oldest&select=nobody", 2)
    assert [(kind, data) for kind, _, data in nothing] == [("position", []), ("position", [])]
    assert seqs(nothing)[1] > seqs(nothing)[0] > 1


def test_pages_and_events_tell_the_same(page: str) -> None:
    told = [line for _, _, data in take(f"{page}/api/stream?after=oldest", 12) for line in data]
    *lines, end = map(json.loads, get(f"{page}/api/stream/rows?after=oldest&limit=2000").splitlines())
    assert lines[: len(told)] == told[: len(lines)]
    assert set(end) == {"next", "more"}
    tags = [json.loads(line) for line in get(f"{page}/api/stream/tags").splitlines()]
    assert {each["dev"] for each in tags} == {"cz/-/-/mill", "cz/-/-/press"}


def test_waiting_returns_as_soon_as_something_is_stored(page: str) -> None:
    *lines, end = map(json.loads, get(f"{page}/api/stream/rows?after=now&wait=10").splitlines())
    assert lines
    assert end["next"] != ""


@pytest.mark.parametrize(
    ("after", "status", "said"),
    [
        ("1-00000000000000ff,7", 410, "unknown"),
        ("yesterday", 422, "no position"),
        ("1-1,-5", 422, "no position"),
        (None, 410, "ahead"),
    ],
)
def test_a_place_that_leads_nowhere_is_refused_with_what_there_is(
    page: str, after: str | None, status: int, said: str
) -> None:
    ends = json.loads(get(f"{page}/api/stream/position"))
    after = after or f"{ends['newest'].partition(',')[0]},999999999"
    for route in ("stream", "stream/rows"):
        code, text = refusal(f"{page}/api/{route}?after={after}")
        assert code == status
        assert said in text
        if status == 410:
            assert json.loads(text)["ends"]["epochs"] == ends["epochs"]


def test_only_so_many_may_be_subscribed_and_who_goes_makes_room(page: str) -> None:
    with ExitStack() as open_ones:
        for _ in range(MOST_SUBSCRIBERS):
            answer = open_ones.enter_context(opened(f"{page}/api/stream"))
            next(events(answer))
        assert refusal(f"{page}/api/stream")[0] == 503

    def there_is_room() -> bool:
        try:
            opened(f"{page}/api/stream").close()
        except urllib.error.HTTPError as full:
            full.close()
            return False
        return True

    wait_for(there_is_room, "room", 20)
