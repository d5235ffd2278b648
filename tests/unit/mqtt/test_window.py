import pytest

from connectors.broker.window import FIRST, Window


def carried(
    rate: float, delay_s: float, *, seconds: float = 60.0, most: int = 64
) -> tuple[Window, float, float]:
    """Keep a line busy that takes so many messages a second; return window, longest wait, rate."""
    window, now, free, number = Window(most, 10.0), 0.0, 0.0, 0
    under_way: list[tuple[float, int, float]] = []
    longest, passed = 0.0, 0
    while now < seconds:
        while len(under_way) < window.size:
            free = max(free, now) + 1 / rate
            number += 1
            window.sent(number, now)
            under_way.append((free + delay_s, number, now))
        now, packet_id, sent = under_way.pop(0)
        window.acknowledged(packet_id, now)
        longest, passed = max(longest, now - sent), passed + 1
    return window, longest, passed / seconds


@pytest.mark.parametrize("delay_s", [0.0001, 0.3, 1.5])
def test_a_line_with_room_gets_the_whole_window_however_long_it_is(delay_s: float) -> None:
    window, _, rate = carried(10_000, delay_s)
    assert window.size == 64
    assert rate > 0.8 * min(64 / delay_s, 10_000)


@pytest.mark.parametrize("rate", [1.0, 5.0, 20.0])
def test_a_slow_line_is_kept_busy_and_no_message_waits_for_long(rate: float) -> None:
    window, longest, passed = carried(rate, 0.05)
    assert longest < 8  # of a deadline of 10
    assert passed > 0.9 * rate
    assert window.size < 64 or rate > 10


def test_the_brokers_own_maximum_holds() -> None:
    assert carried(10_000, 0.01, most=3)[0].size == 3


def test_a_window_begins_small() -> None:
    assert Window(64, 10.0).size == FIRST
