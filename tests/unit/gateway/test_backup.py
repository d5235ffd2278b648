"""Backup and restore from inside: what happens in between, what is damaged, what has no room."""

import asyncio
import itertools
import json
import random
import shutil
import sqlite3
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.plant import BufferOptions
from config.problems import catalogue
from connectors import Kind, Order, Tag, TagTable
from gateway.backup import BackupFailed, make_backup, restore_backup
from gateway.backup.archive import ArchiveReader
from gateway.buffer import DiskBuffer
from gateway.buffer.identity import StoreLock
from tests.conftest import FakeClock
from tests.faults.buffer.lab import SCALE, TAGS, copy, drain, fill, make_store, number_of, options
from tests.faults.buffer.lab import opened as lab_opened
from tests.unit.history.lab import MINUTE, NOW, delivery, opened, table

PLANT: dict[str, Any] = {
    "gateway": {"id": "g1", "site": "s"},
    "sources": {"sim": {"kind": "simulated", "devices": {"d": {"tags": {"x": {}}}}}},
}


def write_plant(folder: Path, **parts: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "plant.yaml"
    file.write_text(json.dumps(PLANT | parts))
    return file


def code_of(failed: pytest.ExceptionInfo[BackupFailed]) -> str:
    assert failed.value.code in catalogue()
    for language in ("zh", "en"):
        blanks = catalogue()[failed.value.code][language]
        assert all("{" + name + "}" in blanks for name in failed.value.args_of_message)
    return failed.value.code


async def saved(store: Path, is_there: Callable[[int | None], bool]) -> None:
    """Wait until the cursor is on disk where it should be; that is done once a second."""
    connection = sqlite3.connect(store / "state.sqlite")
    async with asyncio.timeout(20):
        while True:
            row = connection.execute("SELECT head FROM cursors WHERE sink = 'platform'").fetchone()
            if is_there(row and row[0]):
                break
            await asyncio.sleep(0.02)
    connection.close()


async def test_what_is_stored_while_it_is_copied_is_told_again_and_never_lost(tmp_path: Path) -> None:
    plant, store = write_plant(tmp_path / "a"), tmp_path / "a" / "data" / "buffer"
    loop, told = asyncio.get_running_loop(), []
    async with DiskBuffer(store, options(segment_bytes=4096, segment_age=10**9)) as buffer:
        tags = TagTable(buffer.catalogue(), buffer.persist)
        tags.announce(TAGS)
        cursor = buffer.cursor("platform", Order.STRICT)
        buffer.ready()
        await fill(buffer, range(1, 101))
        await saved(store, lambda head: head is not None)

        async def meanwhile() -> None:
            """A new tag, more rows, the cursor moves on to the end."""
            if not told:
                taken = await cursor.next(400)
                told.extend(number_of(each) for each in taken)
                await cursor.ack()
                tags.announce([Tag("s/a/l/new/first", Kind.FLOAT64, "1", "late")])
                await fill(buffer, range(101, 151))
                await saved(store, lambda head: head is not None and head > 1)

        def progress(_done: int, _all: int) -> None:
            asyncio.run_coroutine_threadsafe(meanwhile(), loop).result(20)

        await asyncio.to_thread(make_backup, plant, tmp_path / "b.zip", progress=progress)
        old = buffer.epoch
    assert told
    done = await asyncio.to_thread(restore_backup, tmp_path / "b.zip", tmp_path / "b")
    async with DiskBuffer(done.data_dir / "buffer", options()) as buffer:
        assert str(buffer.epoch) == done.epoch
        assert buffer.epoch.ordinal == old.ordinal + 1
        assert len(buffer.epochs()) == 2
        assert [tag.path for _, tag in buffer.catalogue()][-1] == "s/a/l/new/first"
        cursor = buffer.cursor("platform", Order.STRICT)
        numbers = []
        while cursor.backlog().rows:
            numbers += [number_of(each) for each in await cursor.next(5000)]
            await cursor.ack()
        # What was acknowledged after the copy of the cursors comes again; the rest without a hole.
        assert numbers[:100] == list(range(1, 101))
        assert numbers == list(range(1, len(numbers) + 1))
        TagTable(buffer.catalogue(), buffer.persist).announce(TAGS)
        (seq,) = await fill(buffer, [900])
        (newest,) = [each for each in await drain(buffer, "other") if each.seq == seq]
        assert newest.epoch == buffer.epoch


async def test_what_a_killed_gateway_left_behind_is_backed_up_whole(tmp_path: Path) -> None:
    plant, store = write_plant(tmp_path / "a"), tmp_path / "a" / "data" / "buffer"
    async with lab_opened(tmp_path / "running", segment_bytes=4096) as buffer:
        buffer.cursor("platform", Order.STRICT)
        buffer.ready()
        await fill(buffer, range(1, 51))
        await saved(tmp_path / "running", lambda head: head is not None)
        copy(tmp_path / "running", store)  # as a kill leaves it: logs beside the databases
    assert list_of(store, "*-wal")
    made = await asyncio.to_thread(make_backup, plant, tmp_path / "b.zip")
    assert not [each.name for each in made.manifest.files if each.name.endswith(("-wal", "-shm", "lock"))]
    done = await asyncio.to_thread(restore_backup, tmp_path / "b.zip", tmp_path / "b")
    async with DiskBuffer(done.data_dir / "buffer", options()) as buffer:
        assert [number_of(each) for each in await drain(buffer)] == list(range(1, 51))


def list_of(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


async def test_a_segment_that_goes_while_it_is_copied_makes_the_backup_begin_anew(tmp_path: Path) -> None:
    plant, store = write_plant(tmp_path / "a"), tmp_path / "a" / "data" / "buffer"
    (tmp_path / "a" / "library").mkdir()
    await make_store(store, range(1, 200), segment_bytes=4096)
    oldest = sorted(store.glob("*.segment"))
    gone = []

    def progress(_done: int, _all: int) -> None:
        if len(gone) < 1:
            gone.append(oldest[5])
            oldest[5].unlink()

    made = await asyncio.to_thread(make_backup, plant, tmp_path / "b.zip", progress=progress)
    names = [each.name for each in made.manifest.files]
    assert len(names) == len(set(names))
    assert f"data/buffer/{gone[0].name}" not in names
    assert f"data/buffer/{oldest[4].name}" in names
    assert not any(name.endswith(".part") for name in everything(tmp_path))


async def test_segments_the_history_has_not_booked_may_not_go_while_the_history_is_copied(
    tmp_path: Path,
) -> None:
    plant, store = write_plant(tmp_path), tmp_path / "data" / "buffer"
    await make_store(store, range(1, 200), segment_bytes=4096)
    clock, tags = FakeClock(NOW), table()
    with opened(tmp_path / "data" / "history", tags, clock) as history:
        one = delivery(tags, 1, [(0, NOW, 1.0, 0)])
        history.book([one], one)
    steps: list[int] = []

    def progress(done: int, _all: int) -> None:
        if not steps:
            for file in sorted(store.glob("*.segment"))[:5]:
                file.unlink()
        steps.append(done)

    await asyncio.to_thread(make_backup, plant, tmp_path / "b.zip", progress=progress)
    assert any(later <= earlier for earlier, later in itertools.pairwise(steps)), "it did not begin anew"


def test_a_head_older_than_the_files_beside_it_is_looked_at_again(tmp_path: Path) -> None:
    """Such a sight would lose the rows between the head's block and the files'."""
    plant, clock, tags = write_plant(tmp_path), FakeClock(NOW), table()
    history = tmp_path / "data" / "history"
    with opened(history, tags, clock) as store:
        for seq in range(3):
            one = delivery(tags, seq, [(0, NOW + seq * MINUTE, 1.0, 0)])
            store.book([one], one)
    old = tmp_path / "old head"
    shutil.copy(history / "head.sqlite", old)
    with opened(history, tags, clock) as store:
        one = delivery(tags, 3, [(0, NOW + 3 * MINUTE, 1.0, 0)])
        store.book([one], one)
        store.put_away(10, everything=True)
    new = shutil.copy(history / "head.sqlite", tmp_path / "new head")
    shutil.copy(old, history / "head.sqlite")
    with pytest.raises(BackupFailed) as failed:
        make_backup(plant, tmp_path / "b.zip")
    assert code_of(failed) == "E-BK-0005"
    assert not (tmp_path / "b.zip").exists()
    shutil.copy(new, history / "head.sqlite")
    assert len(make_backup(plant, tmp_path / "b.zip").manifest.files) == 4


@pytest.mark.parametrize("at", [0, 20, 4096 + 100, 3 * 4096 + 50])
def test_a_damaged_history_file_does_not_keep_the_rest_from_being_backed_up(tmp_path: Path, at: int) -> None:
    plant, clock, tags = write_plant(tmp_path / "a"), FakeClock(NOW), table()
    history = tmp_path / "a" / "data" / "history"
    with opened(history, tags, clock) as store:
        for seq in range(20):
            one = delivery(tags, seq, [(n, NOW + seq * MINUTE, float(n), 0) for n in range(0, 20, 6)])
            store.book([one], one)
        store.put_away(10, everything=True)
    for file in history.glob("*.sqlite"):
        whole = file.read_bytes()
        with file.open("r+b") as stream:
            stream.seek(at)
            stream.write(bytes(64))
        make_backup(plant, tmp_path / f"{file.stem}.zip")
        restore_backup(tmp_path / f"{file.stem}.zip", tmp_path / file.stem)
        for other in history.glob("*.sqlite"):
            restored = tmp_path / file.stem / "data" / "history" / other.name
            assert restored.stat().st_size == other.stat().st_size
        file.write_bytes(whole)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    plant = write_plant(tmp_path / "a")
    asyncio.run(make_store(tmp_path / "a" / "data" / "buffer", range(1, 60), segment_bytes=8192))
    make_backup(plant, tmp_path / "b.zip")
    return tmp_path / "b.zip"


def everything(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@pytest.mark.fault("A4")
def test_a_damaged_archive_is_refused_or_the_damage_touched_nothing(archive: Path, tmp_path: Path) -> None:
    """A4, of an archive: bytes flipped anywhere, ends cut off."""
    seed = random.randrange(2**32)
    print("seed", seed)
    chance, sound = random.Random(seed), archive.read_bytes()
    with ArchiveReader(archive) as reader:
        reader.verify(lambda _n: None)
        hashes = {each.name: each.sha256 for each in reader.manifest.files}
    refused = []
    for i in range(round(300 * SCALE)):
        broken = bytearray(sound)
        if i % 3:
            broken[chance.randrange(len(broken))] ^= 1 << chance.randrange(8)
        else:
            del broken[chance.randrange(len(broken)) :]
        bad = tmp_path / "bad.zip"
        bad.write_bytes(broken)
        try:
            with ArchiveReader(bad) as reader:
                reader.verify(lambda _n: None)
                assert {each.name: each.sha256 for each in reader.manifest.files} == hashes
        except BackupFailed as exc:
            refused.append(exc.code)
            with pytest.raises(BackupFailed):
                restore_backup(bad, tmp_path / "never")
            assert not (tmp_path / "never").exists()
            assert not list(tmp_path.glob(".never*"))
    assert len(refused) > round(150 * SCALE)
    assert set(refused) <= {"E-BK-0011", "E-BK-0012", "E-BK-0013"}


@pytest.mark.fault("A4")
def test_an_archive_whose_offsets_lead_before_its_beginning_is_refused(archive: Path, tmp_path: Path) -> None:
    broken = bytearray(archive.read_bytes())
    offset = broken.rindex(b"PK\x05\x06") + 16  # of the central directory (APPNOTE 4.3.16)
    broken[offset + 2] ^= 1
    bad = tmp_path / "bad.zip"
    bad.write_bytes(broken)
    with pytest.raises(BackupFailed) as failed:
        restore_backup(bad, tmp_path / "never")
    assert code_of(failed) == "E-BK-0011"


def test_a_file_that_is_another_than_the_manifest_says_is_refused(archive: Path, tmp_path: Path) -> None:
    forged = tmp_path / "forged.zip"
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(forged, "w") as new:
        for member in old.namelist():
            new.writestr(member, old.read(member) + (b" " if member == "plant/plant.yaml" else b""))
        new.comment = old.comment
    with pytest.raises(BackupFailed) as failed:
        restore_backup(forged, tmp_path / "never")
    assert code_of(failed) == "E-BK-0012"


@pytest.mark.fault("S4")
@pytest.mark.parametrize("name", ["../x", "data/../../x", "/etc/x", "plant/a:b", "data\\x", "x"])
def test_a_file_that_would_lie_outside_is_refused(archive: Path, tmp_path: Path, name: str) -> None:
    forged = tmp_path / "forged.zip"
    import hashlib

    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(forged, "w") as new:
        manifest = json.loads(old.read("manifest.json"))
        manifest["files"].append({"name": name, "size": 1, "sha256": hashlib.sha256(b"x").hexdigest()})
        for member in old.namelist():
            if member != "manifest.json":
                new.writestr(member, old.read(member))
        new.writestr(name, b"x")
        text = json.dumps(manifest).encode()
        new.writestr("manifest.json", text)
        new.comment = hashlib.sha256(text).hexdigest().encode()
    with pytest.raises(BackupFailed) as failed:
        restore_backup(forged, tmp_path / "never")
    assert code_of(failed) == "E-BK-0011"
    assert not (tmp_path / "never").exists()


@pytest.mark.fault("S4")
def test_a_link_in_an_archive_becomes_no_link(archive: Path, tmp_path: Path, record_measure) -> None:
    forged, text = tmp_path / "forged.zip", str(tmp_path / "victim").encode()
    import hashlib

    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(forged, "w") as new:
        manifest = json.loads(old.read("manifest.json"))
        told = {"name": "data/link", "size": len(text), "sha256": hashlib.sha256(text).hexdigest()}
        manifest["files"].append(told)
        for member in old.namelist():
            if member != "manifest.json":
                new.writestr(member, old.read(member))
        link = zipfile.ZipInfo("data/link")
        link.external_attr = (0o120777) << 16
        new.writestr(link, text)
        said = json.dumps(manifest).encode()
        new.writestr("manifest.json", said)
        new.comment = hashlib.sha256(said).hexdigest().encode()
    restore_backup(forged, tmp_path / "new")
    assert not [each for each in (tmp_path / "new").rglob("*") if each.is_symlink()]
    assert not (tmp_path / "victim").exists()
    record_measure("6 names that lead outside refused, a link restored as a plain file", row="S4")


@pytest.mark.fault("S4")
def test_links_in_the_data_directory_are_not_followed_into_an_archive(tmp_path: Path, record_measure) -> None:
    plant = write_plant(tmp_path / "a")
    data, outside = tmp_path / "a" / "data", tmp_path / "outside"
    asyncio.run(make_store(data / "buffer", range(1, 20)))
    (outside / "deep").mkdir(parents=True)
    for name in ("secret", "deep/secret"):
        (outside / name).write_text("canary-7f3a91")
    (data / "history").mkdir()
    for place in (data, data / "buffer", data / "history"):
        (place / "link").symlink_to(outside / "secret")
        (place / "folder").symlink_to(outside / "deep")
    make_backup(plant, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as made:
        found = [name for name in made.namelist() if b"canary-7f3a91" in made.read(name)]
    assert found == []
    record_measure("6 links out of the data directory: none followed into the archive", row="S4")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.fault("A7")
def test_a_disk_that_is_full_while_restoring_is_left_as_it_was(
    archive: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A7, of a restore: the room is gone between the look at it and the writing."""
    (small_disk / "others").write_bytes(bytes(19 * 2**20))
    with pytest.raises(BackupFailed) as failed:
        restore_backup(archive, small_disk / "deep" / "new")
    assert code_of(failed) == "E-BK-0022"
    monkeypatch.setattr("gateway.backup.restore._SPARE", -(2**40))
    (small_disk / "others").write_bytes(bytes(20 * 2**20 - 65536))
    with pytest.raises(BackupFailed) as failed:
        restore_backup(archive, small_disk / "deep" / "new")
    assert code_of(failed) in ("E-BK-0023", "E-BK-0024")
    assert [each.name for each in small_disk.iterdir()] == ["others"]
    (small_disk / "others").unlink()
    assert restore_backup(archive, small_disk / "deep" / "new").epoch


@pytest.mark.fault("A7")
def test_a_disk_that_is_full_while_backing_up_keeps_no_half_archive(tmp_path: Path, small_disk: Path) -> None:
    plant = write_plant(tmp_path / "a")
    asyncio.run(make_store(tmp_path / "a" / "data" / "buffer", range(1, 400)))
    (small_disk / "others").write_bytes(bytes(20 * 2**20 - 65536))
    with pytest.raises(BackupFailed) as failed:
        make_backup(plant, small_disk / "b.zip")
    assert code_of(failed) == "E-BK-0004"
    assert [each.name for each in small_disk.iterdir()] == ["others"]


def test_what_is_in_the_way_is_moved_aside_only_when_asked(archive: Path, tmp_path: Path) -> None:
    place = tmp_path / "here"
    place.mkdir()
    (place / "mine").write_text("keep")
    with pytest.raises(BackupFailed) as failed:
        restore_backup(archive, place)
    assert code_of(failed) == "E-BK-0021"
    assert everything(place) == {"mine": b"keep"}
    (aside,) = restore_backup(archive, place, replace=True).aside
    assert everything(aside) == {"mine": b"keep"}
    assert (place / "plant.yaml").exists()


def test_two_restored_clones_have_two_epochs(archive: Path, tmp_path: Path) -> None:
    one, two = (restore_backup(archive, tmp_path / name) for name in ("one", "two"))
    assert one.epoch != two.epoch
    assert one.epoch.startswith("2-")


async def test_a_lock_that_is_held_keeps_the_data_from_being_replaced(tmp_path: Path) -> None:
    plant = write_plant(tmp_path / "a", gateway={"id": "g", "site": "s", "data_dir": str(tmp_path / "far")})
    await make_store(tmp_path / "far" / "buffer", range(1, 9))
    await asyncio.to_thread(make_backup, plant, tmp_path / "b.zip")
    with StoreLock(tmp_path / "far" / "buffer"), pytest.raises(BackupFailed) as failed:
        restore_backup(tmp_path / "b.zip", tmp_path / "new", replace=True)
    assert code_of(failed) == "E-BK-0020"
    assert not (tmp_path / "new").exists()


async def test_a_data_directory_elsewhere_is_restored_where_the_plant_file_says(tmp_path: Path) -> None:
    far = tmp_path / "far"
    plant = write_plant(tmp_path / "a", gateway={"id": "g", "site": "s", "data_dir": str(far)})
    await make_store(far / "buffer", range(1, 9))
    await asyncio.to_thread(make_backup, plant, tmp_path / "b.zip")
    before = everything(far)
    with pytest.raises(BackupFailed) as failed:
        await asyncio.to_thread(restore_backup, tmp_path / "b.zip", tmp_path / "new")
    assert code_of(failed) == "E-BK-0021"
    assert everything(far) == before
    done = await asyncio.to_thread(restore_backup, tmp_path / "b.zip", tmp_path / "new", replace=True)
    assert done.data_dir == far
    assert everything(done.aside[0]).keys() == before.keys()
    async with DiskBuffer(far / "buffer", BufferOptions().model_copy(update={"max_age": 2**62})) as buffer:
        assert [number_of(each) for each in await drain(buffer)] == list(range(1, 9))


def test_secrets_are_left_out_and_named_unless_asked_for(tmp_path: Path) -> None:
    home, outside = tmp_path / "a", tmp_path / "outside"
    outside.mkdir()
    key = "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n"
    sink = {
        "kind": "mqtt",
        "host": "h",
        "username": "u",
        "password": "${file:secrets/pw}",
        "tls": {"ca": "tls/ca.pem", "certificate": str(outside / "c.pem"), "key": "tls/own.pem"},
        "client_id": "${env:SURELY_NOT_SET}",
    }
    plant = write_plant(home, sinks={"p": sink}, gateway={"id": "g", "site": "s", "library": "mine"})
    texts = {"secrets/pw": "s3cret", "tls/ca.pem": "ca", "tls/own.pem": key, "mine/acme/x.yaml": "x: 1"}
    pki = {"data/pki/opcua/own/key.pem": key, "data/pki/opcua/trusted/a.der": "a", "data/live/x": "x"}
    for name, text in (texts | pki).items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (outside / "c.pem").write_text("certificate")
    made = make_backup(plant, tmp_path / "b.zip")
    assert {(each.what, each.name) for each in made.manifest.left_out} == {
        ("private_key", "tls/own.pem"),
        ("private_key", "data/pki/opcua/own/key.pem"),
        ("secret_file", "secrets/pw"),
        ("environment", "SURELY_NOT_SET"),
    }
    for member in zipfile.ZipFile(tmp_path / "b.zip").namelist():
        data = zipfile.ZipFile(tmp_path / "b.zip").read(member)
        assert b"s3cret" not in data
        assert b"PRIVATE KEY-----\nMII" not in data
    done = restore_backup(tmp_path / "b.zip", tmp_path / "b")
    assert (tmp_path / "b" / "mine/acme/x.yaml").read_text() == "x: 1"
    assert (tmp_path / "b" / "data/pki/opcua/trusted/a.der").read_text() == "a"
    assert not (tmp_path / "b" / "data/live").exists()
    ((origin, place),) = done.elsewhere
    assert (origin, place.read_text()) == (str(outside / "c.pem"), "certificate")
    make_backup(plant, tmp_path / "c.zip", with_secrets=True)
    restore_backup(tmp_path / "c.zip", tmp_path / "c")
    for name, text in {**texts, **{name: text for name, text in pki.items() if "live" not in name}}.items():
        assert (tmp_path / "c" / name).read_text() == text


def test_a_backup_is_not_overwritten_and_nobody_else_reads_it(archive: Path, tmp_path: Path) -> None:
    assert archive.stat().st_mode & 0o077 == 0
    with pytest.raises(BackupFailed) as failed:
        make_backup(tmp_path / "a" / "plant.yaml", archive)
    assert code_of(failed) == "E-BK-0003"


def test_every_code_of_backup_and_support_is_in_the_catalogue_and_the_reverse() -> None:
    import re

    import gateway

    root = Path(gateway.__file__).parent
    used = set()
    for file in root.rglob("*.py"):
        used |= set(re.findall(r"[EW]-BK-\d{4}", file.read_text("utf-8")))
    assert used == {key for key in catalogue() if "-BK-" in key}
