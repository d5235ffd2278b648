"""The plant file, its save killed or without power at any instant: the old text or the new, never half."""

import os
import random
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from gateway.reload.applying import replace_file
from tests.faults.buffer.power import Entry, cuts, entries
from tests.processes import ROOT, python, started, wait_for

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

SAVES, DISKS = 12, max(3, round(20 * SCALE))
SAVE_SOME = f"""
import os, sys
from pathlib import Path
from gateway.reload.applying import replace_file
from gateway.sqlite import sync_directory
file = Path(sys.argv[1])
with file.open("wb") as first:
    first.write(b"0\\n" * 4000)
    first.flush()
    os.fsync(first.fileno())
sync_directory(file.parent)
print("saved 0", flush=True)
for number in range(1, {SAVES}):
    replace_file(file, b"%d\\n" % number * (4000 - 300 * number))
    print("saved", number, flush=True)
"""


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """Saves as they ask the disk for them."""
    folder = tmp_path_factory.mktemp("power")
    (folder / "plant").mkdir()
    library, source = folder / "recorder.so", ROOT / "tests/faults/buffer/recorder.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    asked = {"LD_PRELOAD": str(library), "RECORD_ROOT": str(folder / "plant")}
    asked |= {"RECORD_TO": str(folder / "record"), "PYTHONPATH": str(ROOT)}
    saving = python("-c", SAVE_SOME, folder / "plant" / "plant.yaml")
    subprocess.run(saving, check=True, stdout=subprocess.PIPE, env=os.environ | asked, timeout=60)
    return entries(folder / "record")


@pytest.mark.fault("H4")
def test_when_the_power_goes_the_old_file_or_the_new_one_is_there_and_what_was_saved_stays(
    record: list[Entry], tmp_path: Path, record_measure
) -> None:
    texts = [b"%d\n" % number * (4000 - 300 * number) for number in range(SAVES)]
    chance, seen = random.Random(7), set()
    begin = next(i for i, each in enumerate(record) if each.kind == "P")
    for place, disk in cuts(record, set(range(begin + 1, len(record)))):
        for _ in range(DISKS):
            disk.left_by(chance, tmp_path / "left")
            found = texts.index((tmp_path / "left" / "plant.yaml").read_bytes())
            saved = disk.said.count("saved") - 1
            assert found in (saved, saved + 1), record[place]
            seen.add((saved, found))
            shutil.rmtree(tmp_path / "left")
    assert {found - saved for saved, found in seen} == {0, 1}
    told = f"{SAVES} saves, the power cut at {len(record) - begin - 1} calls, {DISKS} disks each"
    record_measure(f"{told}: old or new, what was saved stays", row="H4")


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
