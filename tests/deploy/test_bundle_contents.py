"""What a bundle holds: every wheel the lock asks for, each in the bill of materials; always the same."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from edge_deploy.bundle.__main__ import LOCKS, glibc, make
from edge_deploy.bundle.target import PLATFORMS, PYTHONS, Target
from edge_deploy.bundle.wheels import Wheel, gather, pins
from tests.deploy.machine import hash_lines, host_platform, python_version, system_python, unpacked
from tests.processes import ROOT

# The first of them builds the bundle, and on a machine that never did, fetches thirty megabytes.
pytestmark = pytest.mark.timeout(300)
SCALE = float(os.environ.get("WL_SCALE", "0.1"))
# The others take a download of thirty megabytes each; that they resolve is shown at any scale.
BUILT = PLATFORMS if SCALE >= 1 else (host_platform(),)
UV_NAMES = {
    "linux-x86_64": "x86_64-manylinux_2_28",
    "linux-aarch64": "aarch64-manylinux_2_28",
    "win-amd64": "x86_64-pc-windows-msvc",
}


@pytest.fixture(scope="module")
def contents(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(bundle, tmp_path_factory.mktemp("bundle") / "here")


def test_two_builds_are_the_same_byte_for_byte(bundle: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        again = make(Target(host_platform(), python_version(system_python())), tmp_path)
    finally:
        os.umask(before)
    assert again.name == bundle.name
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(bundle.read_bytes()).digest()
    digest = (tmp_path / f"{again.name}.sha256").read_text()
    assert digest == f"{hashlib.sha256(again.read_bytes()).hexdigest()}  {again.name}\n"


def test_two_bundles_made_at_once_share_a_cache(tmp_path: Path) -> None:
    target = Target(host_platform(), python_version(system_python()))
    (pip,) = (pin for pin in pins(LOCKS / "dev.txt", target) if pin.name == "pip")
    with ThreadPoolExecutor(4) as makers:
        found = list(makers.map(lambda _: gather([pip], target, tmp_path), range(4)))
    assert {wheel.sha256 for (wheel,) in found} <= pip.hashes
    assert [path.name for path in tmp_path.iterdir()] == [found[0][0].path.name]


def test_every_file_has_its_hash(contents: Path) -> None:
    listed = dict(reversed(line.split("  ")) for line in hash_lines(contents))
    there = {p.relative_to(contents).as_posix() for p in contents.rglob("*") if p.is_file()} - {"SHA256SUMS"}
    assert set(listed) == there
    assert {name: hashlib.sha256((contents / name).read_bytes()).hexdigest() for name in there} == listed


def test_the_bill_of_materials_lists_every_wheel_and_keeps_to_its_schema(contents: Path) -> None:
    text = (contents / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    own = bill["metadata"]["component"]
    listed = {each["hashes"][0]["content"]: each for each in [own, *bill["components"]]}
    wheels = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in contents.glob("*/*.whl")}
    assert set(listed) == set(wheels)
    for digest, path in wheels.items():
        each = listed[digest]
        name, version = re.fullmatch(r"(.+?)-([^-]+)-.*", path.name).groups()
        assert (each["name"], each["version"]) == (name.replace("_", "-").lower(), version)
        assert each["purl"].endswith(f"/{each['name']}@{version}")
        assert each["licenses"], f"{path.name} says nothing of its licence"
    needs = {each["ref"]: set(each["dependsOn"]) for each in bill["dependencies"]}
    reached, todo = set(), {own["bom-ref"]}
    while todo:
        ref = todo.pop()
        reached.add(ref)
        todo |= needs[ref] - reached
    tools = {each["bom-ref"] for each in bill["components"] if each["scope"] == "excluded"}
    assert reached == set(needs) - tools, "a wheel nothing asks for, or a need without a wheel"


def test_the_page_is_in_the_wheel_and_the_guides_are_beside_it(contents: Path) -> None:
    (own,) = (contents / "wheels").glob("wanglian-*.whl")
    shutil.unpack_archive(own, contents.parent / "own", "zip")
    assert (contents.parent / "own/wanglian/gateway/web/static/index.html").is_file()
    for name in ("offline.md", "offline.zh-CN.md", "systemd.md"):
        assert (contents / "docs/how-to" / name).is_file()


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_wheels_for_every_promised_machine_exist(platform: str, python: str, tmp_path: Path) -> None:
    """An independent resolver, asked for that machine, finds a wheel for each pin, and asks for no other."""
    lock = LOCKS / "runtime.txt"
    command = [sys.executable, "-m", "uv", "--system-certs", "pip", "install", "--dry-run"]
    command += ["--python-platform", UV_NAMES[platform]]
    command += ["--python-version", python, "--only-binary", ":all:", "--require-hashes"]
    command += ["--target", str(tmp_path / "target"), "--requirement", str(lock)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = set(re.findall(r"^ \+ (\S+)==(\S+)$", done.stderr, re.MULTILINE))
    assert found == {(pin.name, pin.version) for pin in pins(lock, Target(platform, python))}


@pytest.mark.fault("S15")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("platform", BUILT)
def test_each_bundle_holds_one_wheel_that_runs_there_for_every_pin(
    platform: str, contents: Path, tmp_path: Path
) -> None:
    """S15, supply chain: nothing unpinned. `make faults` builds for every platform, `make test` for one."""
    target = Target(platform, python_version(system_python()))
    if platform != host_platform():
        contents = unpacked(make(target, tmp_path / "dist"), tmp_path / "here")
    wanted = {(pin.name, pin.version) for pin in pins(LOCKS / "runtime.txt", target)}
    asked = (contents / "requirements.txt").read_text().splitlines()
    assert len(asked) == len(wanted) + 1
    assert {tuple(line.split(" ")[0].split("==")) for line in asked[1:]} == wanted
    runs = {str(tag) for tag in target.tags}
    for wheel in (contents / "wheels").iterdir():
        python, abi, platforms = wheel.stem.rsplit("-", 3)[1:]
        offered = {f"{p}-{abi}-{each}" for p in python.split(".") for each in platforms.split(".")}
        assert offered & runs, f"{wheel.name} does not run on {platform}"


def test_a_file_whose_hash_the_lock_does_not_know_is_no_wheel(tmp_path: Path) -> None:
    target = Target("linux-x86_64", "3.11")
    (pin, *_) = pins(LOCKS / "runtime.txt", target)
    false = tmp_path / f"{pin.name.replace('-', '_')}-{pin.version}-py3-none-any.whl"
    false.write_bytes(b"not what the lock means")
    (wheel,) = gather([pin], target, tmp_path)
    assert wheel.sha256 in pin.hashes


def test_the_oldest_glibc_is_what_the_wheels_themselves_say() -> None:
    names = (
        "a-1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "b-1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
        "c-1-py3-none-any.whl",
    )
    assert glibc([Wheel(Path(name), "x", "1", "") for name in names]) == "2.27"
    assert glibc([Wheel(Path(names[2]), "x", "1", "")]) == ""
