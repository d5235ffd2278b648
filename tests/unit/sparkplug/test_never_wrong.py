"""Whatever is lost, swapped, said twice, born anew under other aliases, or dead: no value is misnamed."""

import os
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.lab.sparkplug import EdgeNode, Message
from tests.unit.sparkplug.hearing import MS, Hearing

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
NAMES = ("a", "b", "c", "d")
STEPS = st.lists(
    st.sampled_from(
        ["data"] * 6
        + ["device", "device", "lose", "swap", "twice", "remap", "birth", "next", "death", "wait", "answer"]
    ),
    min_size=5,
    max_size=60,
)


def value_of(name: str, device: int, count: int) -> float:
    """Return a value that tells whose it is."""
    return 1000.0 * (NAMES.index(name) + device) + count / 1024


def owner_of(value: float) -> tuple[str, bool]:
    number = int(value // 1000)
    return NAMES[number % 10], number >= 10


class Story:
    """A node that gives its aliases anew at will, over a line that loses, swaps and repeats."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.node = EdgeNode("plant", "press", {}, devices={"m1": {}})
        self.heard = Hearing()
        self.line: list[Message] = []
        self.count = 0
        self.remap()

    def remap(self) -> None:
        """Give the metrics other aliases: their order makes them."""
        names = self.rng.sample(NAMES, k=self.rng.randint(2, 4))
        self.node.metrics = {name: value_of(name, 0, 0) for name in names}
        names = self.rng.sample(NAMES, k=self.rng.randint(2, 4))
        self.node.devices["m1"] = {name: value_of(name, 10, 0) for name in names}

    def step(self, what: str) -> None:
        self.count += 1
        if what == "data":
            name = self.rng.choice(list(self.node.metrics))
            self.line.append(self.node.data({name: value_of(name, 0, self.count)}, MS))
        elif what == "device":
            name = self.rng.choice(list(self.node.devices["m1"]))
            self.line.append(self.node.device_data("m1", {name: value_of(name, 10, self.count)}, MS))
        elif what == "lose":
            # A birth that is lost whole, the data behind it at just the number expected, nobody could notice.
            self.line[-1:] = [each for each in self.line[-1:] if "BIRTH" in each[0]]
        elif what == "swap":
            self.line[-2:] = self.line[-2:][::-1]
        elif what == "twice":
            self.line += self.line[-1:]
        elif what == "remap":
            self.remap()
            self.line += self.node.births(MS)
        elif what == "birth" or (what == "answer" and self.heard.wishes):
            self.heard.wishes = 0
            self.line += self.node.births(MS)
        elif what == "next":
            self.line.append(self.node.death(MS))
            self.remap()
            self.node.bd_seq = (self.node.bd_seq + 1) % 256
            self.line += self.node.births(MS)
        elif what == "death":
            self.line.append(self.node.death(MS))
        elif what == "wait":
            self.flush()
            self.look(self.heard.wait(self.rng.choice((1, 3, 12))))

    def flush(self) -> None:
        for message in self.line:
            self.look(self.heard.hear(message))
        self.line.clear()

    def look(self, rows: list) -> None:
        for path, value, _ in rows:
            if value is not None:
                device, name = path.split("/")
                assert owner_of(value) == (name, device == "m1")


@pytest.mark.fault("G4", "G7")
@settings(max_examples=max(50, int(1500 * SCALE)))
@given(STEPS, st.integers(0, 10_000))
@example([*["data"] * 4, "remap", "remap", "data", "data", "death", "data", "data", "remap"], 0)
def test_no_value_is_ever_read_under_another_name(steps: list[str], seed: int) -> None:
    story = Story(seed)
    for what in steps:
        story.step(what)
        if len(story.line) > 3:
            first = story.line.pop(0)
            story.look(story.heard.hear(first))
    story.flush()
    story.look(story.heard.wait(30))


@pytest.mark.fault("G4", "G7")
def test_a_long_story_ends_with_every_value_as_the_node_has_it(record_measure) -> None:
    steps, wrong, stories = 400, 0, max(10, int(300 * SCALE))
    for seed in range(stories):
        story = Story(seed)
        for _ in range(steps):
            story.step(
                story.rng.choice(
                    ["data"] * 8 + ["device", "lose", "swap", "twice", "birth", "wait", "answer", "next"]
                )
            )
            if len(story.line) > 3:
                story.look(story.heard.hear(story.line.pop(0)))
        story.flush()
        # The line is good again: the node answers whatever is asked of it.
        last: dict[str, float] = {}
        for _ in range(80):
            rows = story.heard.wait(1)
            name = story.rng.choice(list(story.node.metrics))
            story.count += 1
            rows += story.heard.hear(story.node.data({name: value_of(name, 0, story.count)}, MS))
            if story.heard.wishes:
                story.heard.wishes = 0
                rows += story.heard.hear(*story.node.births(MS))
            story.look(rows)
            last |= {path: value for path, value, _ in rows}
        said = {f"press/{name}": value for name, value in story.node.metrics.items()}
        said |= {f"m1/{name}": value for name, value in story.node.devices["m1"].items()}
        wrong += sum(last.get(path) != value for path, value in said.items() if path in last)
        assert story.heard.guard.is_sure, seed
        assert set(story.node.metrics) <= {path.split("/")[1] for path in last if path.startswith("press/")}
    assert wrong == 0
    record_measure(f"{stories} stories of {steps} steps: 0 values under another name, all right at the end")
