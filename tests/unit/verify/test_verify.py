"""The verifier finds every kind of defect, and finds none where there is none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verify.recording import pack, read
from tests.verify.report import Report
from tests.verify.values import MODULUS, read_journals
from tests.verify.verify import verify

T0 = 1_764_000_000_000_000_000
SECOND = 1_000_000_000
EPOCH = "1-00000000000000aa"
DEVICES, VALUES, VERSIONS = 3, 20, 12


def value(device: int, index: int, version: int) -> float:
    return float(version if index == 0 else (version + 7919 * index + 104_729 * device) % MODULUS)


class World:
    """A plant that served, a store that accepted, a subscriber that recorded; before it is spoiled."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.messages: list[dict[str, Any]] = []
        self.stored: list[tuple[str, int, str, int, list[tuple[str, int, Any, int]]]] = []
        self.journal: list[str] = []
        seq = 0
        for version in range(1, VERSIONS + 1):
            for device in range(DEVICES):
                seq += 1
                time = T0 + version * SECOND + device
                path = f"cz/a/b/m{device}"
                self.journal.append(f"{device} {version} {time}\n")
                values = [value(device, i, version) for i in range(VALUES)]
                names = [f"v_{i}" for i in range(VALUES)]
                self.messages.append(
                    {
                        "gw": "g",
                        "epoch": EPOCH,
                        "seq": seq,
                        "dev": path,
                        "t0": time,
                        "tags": names,
                        "v": values,
                    }
                )
                rows = [(f"{path}/{name}", time, v, 0) for name, v in zip(names, values, strict=True)]
                self.stored.append((EPOCH, seq, "plc", time, rows))

    def verify(self) -> Report:
        recording, journal = self.directory / "received.bin", self.directory / "journal.txt"
        journal.write_text("".join(self.journal))
        with recording.open("wb") as file:
            file.write(pack(T0, b"wanglian/cz/a/b/m0/_tags", b"{}"))
            for message in self.messages:
                topic = f"wanglian/{message['dev']}".encode()
                file.write(pack(message["t0"] + 5_000_000, topic, json.dumps(message).encode()))
        return verify([recording], read_journals([journal]), [self.stored])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_an_unspoiled_world_passes(world: World) -> None:
    report = world.verify()
    total = DEVICES * VALUES * VERSIONS
    assert report.ok
    assert (report.accepted, report.arrived, report.messages) == (total, total, DEVICES * VERSIONS)
    assert report.unverified == report.not_in_store == report.doubled == 0
    assert report.gaps == {"m0": 0, "m1": 0, "m2": 0}
    assert report.latency_ms == {"p50": 5.0, "p99": 5.0, "max": 5.0}
    assert "| verdict | pass |" in report.markdown()
    assert json.loads(report.json())["ok"] is True


def lose_a_message(world: World) -> None:
    del world.messages[7]


def lose_a_row(world: World) -> None:
    message = world.messages[7]
    del message["v"][3], message["tags"][3]
    message["row"] = [i for i in range(VALUES) if i != 3]


def repeat_with_another_value(world: World) -> None:
    world.messages.append(json.loads(json.dumps(world.messages[5])))
    world.messages[-1]["v"][4] += 1


def repeat_with_another_quality(world: World) -> None:
    world.messages.append({**world.messages[5], "q": [0] * (VALUES - 1) + [0x40940000]})


def swap_two_of_a_device(world: World) -> None:
    m = world.messages
    m[3], m[6] = m[6], m[3]


def flip_a_value(world: World) -> None:
    world.messages[9]["v"][7] += 1


def swap_two_devices(world: World) -> None:
    a, b = world.messages[9], world.messages[10]
    a["dev"], b["dev"] = b["dev"], a["dev"]


def take_an_old_version(world: World) -> None:
    world.messages[-1]["v"] = [value(2, i, 1) for i in range(VALUES)]


def claim_a_version_never_served(world: World) -> None:
    world.messages[-1]["v"] = [value(2, i, 999) for i in range(VALUES)]


def make_the_time_stale(world: World) -> None:
    world.messages[4]["t0"] -= 3 * SECOND


def hide_a_bad_value(world: World) -> None:
    world.messages[4]["q"] = [0x80310000] + [0] * (VALUES - 1)


def drop_a_good_value(world: World) -> None:
    world.messages[4]["v"][5] = None


def send_a_boolean_for_a_number(world: World) -> None:
    world.messages[4]["v"][5] = True


def send_garbage(world: World) -> None:
    del world.messages[4]["seq"]


def store_another_value(world: World) -> None:
    path, time, value, quality = world.stored[4][4][3]
    world.stored[4][4][3] = (path, time, value + 1, quality)


def store_the_same_twice(world: World) -> None:
    world.messages.append({**world.messages[-1], "seq": world.messages[-1]["seq"] + 1})


@pytest.mark.parametrize(
    ("spoil", "kind", "count"),
    [
        (lose_a_message, "lost", VALUES),
        (lose_a_row, "lost", 1),
        (repeat_with_another_value, "mutated", 1),
        (repeat_with_another_quality, "mutated", 1),
        (swap_two_of_a_device, "reordered", 1),
        (flip_a_value, "wrong", 1),
        (swap_two_devices, "wrong", 2 * (VALUES - 1)),
        (take_an_old_version, "wrong", VALUES),
        (claim_a_version_never_served, "wrong", VALUES),
        (make_the_time_stale, "wrong", VALUES),
        (hide_a_bad_value, "wrong", 1),
        (drop_a_good_value, "wrong", 1),
        (send_a_boolean_for_a_number, "wrong", 1),
        (send_garbage, "wrong", 1),
        (store_another_value, "altered", 1),
        (store_the_same_twice, "doubled_after_upsert", VALUES),
    ],
)
def test_a_defect_is_found(world: World, spoil: Callable[[World], None], kind: str, count: int) -> None:
    spoil(world)
    report = world.verify()
    assert getattr(report, kind) == count
    assert not report.ok


def test_a_repeat_is_doubled_and_harmless(world: World) -> None:
    world.messages += [
        {**world.messages[-1]},
        {**world.messages[-2], "hist": True},
    ]
    report = world.verify()
    assert report.doubled == 2 * VALUES
    assert report.ok


def test_a_repeat_cut_in_other_pieces_is_compared_row_by_row(world: World) -> None:
    whole = world.messages[-1]
    for rows in (slice(0, 8), slice(8, VALUES)):
        piece = {**whole, "tags": whole["tags"][rows], "v": whole["v"][rows]}
        world.messages.append(piece | {"row": list(range(VALUES))[rows]})
    assert world.verify().ok
    world.messages[-1]["v"][0] += 1
    report = world.verify()
    assert (report.mutated, report.doubled) == (1, VALUES)


def test_a_split_message_is_checked_against_the_version_in_its_other_piece(world: World) -> None:
    whole = world.messages.pop()
    first = {**whole, "tags": whole["tags"][:8], "v": whole["v"][:8]}
    second = {**whole, "tags": whole["tags"][8:], "v": whole["v"][8:], "row": list(range(8, VALUES))}
    world.messages += [first, second]
    report = world.verify()
    assert report.ok
    assert report.unverified == 0
    second["v"][2] += 1
    assert world.verify().wrong == 1


def test_history_beside_live_is_not_reordered(world: World) -> None:
    late = [{**message, "hist": True} for message in world.messages[: 4 * DEVICES]]
    live = world.messages[4 * DEVICES :]
    world.messages = [m for pair in zip(live, late, strict=False) for m in pair] + live[len(late) :]
    assert world.verify().ok
    late[0]["seq"], late[3]["seq"] = late[3]["seq"], late[0]["seq"]
    assert world.verify().reordered == 1


def test_a_bad_row_is_null_and_asks_no_version(world: World) -> None:
    message = world.messages[4]
    message["v"], message["q"] = [None] * VALUES, [0x80310000] * VALUES
    world.stored[4][4][:] = [(path, time, 0.0, 0x80310000) for path, time, _, _ in world.stored[4][4]]
    assert world.verify().ok


def test_versions_never_seen_are_gaps(world: World) -> None:
    gone = world.messages.pop(4)
    world.stored = [batch for batch in world.stored if batch[1] != gone["seq"]]
    report = world.verify()
    assert report.ok
    assert report.gaps == {"m0": 0, "m1": 1, "m2": 0}


def test_nothing_received_does_not_pass(world: World) -> None:
    world.messages, world.stored = [], []
    assert not world.verify().ok


def test_a_recording_cut_anywhere_yields_what_was_whole(tmp_path: Path) -> None:
    file = tmp_path / "r.bin"
    whole = pack(1, b"a/b", b"first") + pack(2, b"a/c", b"second")
    for length in range(len(whole) + 1):
        file.write_bytes(whole[:length])
        count = (length >= len(pack(1, b"a/b", b"first"))) + (length == len(whole))
        assert [record.payload for record in read(file)] == [b"first", b"second"][:count]
