"""Versions are one plant file's and one gateway's: two files in a folder never become each other."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.load import read_plant
from connectors import SystemClock
from gateway.cli import app
from gateway.reload import Refused
from gateway.reload.applying import Applier
from gateway.reload.last_good import last_good, refuse_anothers
from gateway.runtime import Gateway
from tests.unit.reload.test_applying import running, text

PLANT = """\
gateway:
  id: {id}
  site: s
  http_port: 0
  {data_dir}
page: {{enabled: false}}
sources: {{a: {{kind: simulated, devices: {{d: {{tags: {{x: {{shape: {shape}}}}}}}}}}}}}
"""


def plant(folder: Path, name: str, data_dir: str = "", *, shape: str = "ramp") -> Path:
    """Write `name`.yaml of the gateway plant-`name`."""
    file = folder / f"{name}.yaml"
    where = f"data_dir: {data_dir}" if data_dir else ""
    file.write_text(PLANT.format(id=f"plant-{name}", data_dir=where, shape=shape), encoding="utf-8")
    return file


def ran(file: Path, directory: Path) -> Applier:
    """Return the applier of a gateway that was started with this file."""
    found = read_plant(file).plant
    assert found is not None
    applier = Applier(Gateway(found, directory), file, directory, SystemClock())
    asyncio.run(applier.begin())
    return applier


def run(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*map(str, words), "--lang", "en"])
    return done.exit_code, done.output


def as_before(directory: Path) -> None:
    """Let every version be one an earlier release kept."""
    with closing(sqlite3.connect(directory / "config.sqlite")) as connection:
        connection.execute("ALTER TABLE versions DROP COLUMN file")
        connection.execute("ALTER TABLE versions DROP COLUMN gateway")
        connection.execute("PRAGMA user_version = 1")
        connection.execute(f"PRAGMA application_id = {0x574C_0001}")
        connection.commit()


TYPOS = {
    "a wrong word": ("ramp", "rmap"),
    "an open brace behind": ("page: {", "page: {{"),
    "an open bracket before": ("gateway:", "x: [\ngateway:"),
    "a comment in GBK": ("gateway:", "# 车间\ngateway:"),
}


def broken(file: Path, typo: str) -> Path:
    encoding = "gb18030" if "GBK" in typo else "utf-8"
    file.write_text(file.read_text(encoding="utf-8").replace(*TYPOS[typo]), encoding=encoding)
    return file


@pytest.mark.fault("H2")
def test_a_broken_file_never_runs_the_plant_of_the_file_beside_it(tmp_path: Path, record_measure) -> None:
    ran(plant(tmp_path, "one"), tmp_path / "data")
    for typo in TYPOS:
        for own in ("", "d2"):
            code, said = run("run", broken(plant(tmp_path, "two", own), typo))
            assert code == (2 if own else 1)
            assert "two.yaml:" in said
            assert ("[E-AP-0010]" in said) == (own == "")
    record_measure("two files in a folder, one broken four ways: the other's plant never ran", row="H2")


def test_a_good_file_never_starts_on_the_data_of_another_plant(tmp_path: Path) -> None:
    one, two = plant(tmp_path, "one"), plant(tmp_path, "two")
    ran(one, tmp_path / "data")
    code, said = run("run", two)
    assert (code, "[E-AP-0011]" in said) == (1, True)
    assert all(word in said for word in ("plant-one", str(one), "plant-two", "two.yaml", "gateway.data_dir"))
    # Neither the same gateway's file under a new name nor the same file under a new id is another plant.
    renamed = tmp_path / "three.yaml"
    renamed.write_bytes(one.read_bytes())
    refuse_anothers(renamed, "plant-one", tmp_path / "data")
    refuse_anothers(one, "plant-uno", tmp_path / "data")
    refuse_anothers(two, "plant-two", tmp_path / "elsewhere")
    as_before(tmp_path / "data")
    refuse_anothers(two, "plant-two", tmp_path / "data")
    (tmp_path / "data" / "config.sqlite").write_bytes(b"no database")
    refuse_anothers(two, "plant-two", tmp_path / "data")


@pytest.mark.parametrize("typo", TYPOS)
def test_a_broken_file_runs_its_own_last_version_where_it_says_its_data_are(
    tmp_path: Path, typo: str
) -> None:
    ran(plant(tmp_path, "one"), tmp_path / "data")
    two = plant(tmp_path, "two", "d2")
    ran(two, tmp_path / "d2")
    found = last_good(broken(two, typo))
    assert found is not None
    assert (found.plant.gateway.id, found.directory) == ("plant-two", tmp_path / "d2")


def test_a_name_that_was_not_saved_as_utf_8_is_no_other_name(tmp_path: Path) -> None:
    two = plant(tmp_path, "二", "d2")
    ran(two, tmp_path / "d2")
    found = last_good(broken(two, "a comment in GBK"))
    assert found is not None
    assert found.plant.gateway.id == "plant-二"


def test_a_file_of_which_nothing_can_be_read_runs_only_what_ran_of_it(tmp_path: Path) -> None:
    one, two = plant(tmp_path, "one"), plant(tmp_path, "two")
    ran(one, tmp_path / "data")
    for file in (one, two):
        file.write_bytes(b"\xff\xfe[")
    found = last_good(one)
    assert found is not None
    assert found.plant.gateway.id == "plant-one"
    with pytest.raises(Refused) as refused:
        last_good(two)
    assert refused.value.code == "E-AP-0010"
    assert str(one) in refused.value.phrase.text("en")


def test_another_id_in_the_same_file_is_another_gateway(tmp_path: Path) -> None:
    one = plant(tmp_path, "one")
    ran(one, tmp_path / "data")
    one.write_text(one.read_text(encoding="utf-8").replace("plant-one", "plant-two").replace("ramp", "rmap"))
    with pytest.raises(Refused):
        last_good(one)


def test_a_plant_that_was_moved_as_a_whole_keeps_its_versions(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    ran(plant(tmp_path / "old", "one"), tmp_path / "old" / "data")
    (tmp_path / "old").rename(tmp_path / "new")
    one = plant(tmp_path / "new", "one", shape="rmap")
    found = last_good(one)
    assert found is not None
    assert found.version.number == 1


def test_nobody_goes_back_to_anothers_version_and_the_file_stays(tmp_path: Path) -> None:
    ran(plant(tmp_path, "one"), tmp_path / "data")
    two = plant(tmp_path, "two")
    applier, before = ran(two, tmp_path / "data"), two.read_bytes()
    assert [each.number for each in applier.versions.all()] == [2]
    with pytest.raises(Refused) as refused:
        asyncio.run(applier.roll_back(1, who="ann"))
    assert refused.value.code == "E-AP-0008"
    assert refused.value.phrase.args["gateway"] == "plant-one"
    assert two.read_bytes() == before


async def test_who_names_another_file_than_the_one_that_runs_is_told_so(tmp_path: Path) -> None:
    async with running(tmp_path):
        other = tmp_path / "other.yaml"
        other.write_bytes(text())
        for words in (("apply", other), ("rollback", other, "1")):
            code, said = await asyncio.to_thread(run, "config", *words)
            assert (code, "[E-AP-0009]" in said, "plant.yaml" in said) == (1, True, True)
        assert await asyncio.to_thread(run, "config", "apply", tmp_path / "plant.yaml") == (
            0,
            "this is what runs already; nothing was restarted.\n",
        )


@pytest.mark.parametrize("name", ["one", "two"])
def test_what_an_earlier_release_kept_is_of_the_gateway_its_text_names(tmp_path: Path, name: str) -> None:
    ran(plant(tmp_path, "one"), tmp_path / "data")
    as_before(tmp_path / "data")
    file = plant(tmp_path, name, shape="rmap")
    if name == "one":
        found = last_good(file)
        assert found is not None
        assert (found.version.number, found.version.file) == (1, None)
    else:
        with pytest.raises(Refused):
            last_good(file)
    applier = ran(plant(tmp_path, name), tmp_path / "data")
    assert [each.number for each in applier.versions.all()] == [2, 1]
    if name == "two":
        with pytest.raises(Refused) as refused:
            asyncio.run(applier.roll_back(1, who="ann"))
        assert refused.value.code == "E-AP-0008"
