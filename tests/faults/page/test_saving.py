"""The plant file killed while it is saved, at any instant: the old text or the new one, never half of one."""

import os
import random
import signal
from pathlib import Path

import pytest

from gateway.reload.applying import replace_file
from tests.processes import python, started, wait_for

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
KILLS = max(3, round(40 * SCALE))
TEXTS = (b"# old\n" * 200_000, b"# new one\n" * 200_000)
SAVE = """
import sys, itertools
from pathlib import Path
from gateway.reload.applying import replace_file
for text in itertools.cycle((b"# old\\n" * 200_000, b"# new one\\n" * 200_000)):
    replace_file(Path(sys.argv[1]), text)
    print("saved", flush=True)
"""


@pytest.mark.fault("H4")
@pytest.mark.system
@pytest.mark.timeout(300)
def test_a_save_that_is_killed_leaves_the_old_file_or_the_new_one(tmp_path: Path, record_measure) -> None:
    rng, file, left = random.Random(11), tmp_path / "plant.yaml", 0
    file.write_bytes(TEXTS[0])
    for number in range(KILLS):
        with started(f"saver_{number}", python("-c", SAVE, file), tmp_path) as saver:
            count = rng.randint(1, 8)
            wait_for(lambda: saver.log.read_bytes().count(b"saved") >= count, "some saves")  # noqa: B023
            saver.end(signal.SIGKILL)
        assert file.read_bytes() in TEXTS
        left += len(list(tmp_path.glob("plant.yaml?*")))
    replace_file(file, TEXTS[1])
    assert file.read_bytes() == TEXTS[1]
    assert list(tmp_path.glob("plant.yaml?*")) == []
    record_measure(
        f"{KILLS} kills while saving, {left} in the middle: the old file or the new one, whole", row="H4"
    )
