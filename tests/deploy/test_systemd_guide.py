"""What the page about the service says can be typed; systemd's programs only note what they are asked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.machine import CREDENTIALS, Machine, machine, shell_blocks
from tests.deploy.toy import toy_bundle
from tests.processes import ROOT

PAGE = ROOT / "docs" / "how-to" / "systemd.md"
ASKED = {
    "systemctl": ["status wanglian", "restart wanglian", "edit wanglian"],
    "journalctl": ["-u wanglian -n 50"],
    "systemd-analyze": ["security wanglian"],
}


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path) as made:
        made.makes_command("sudo", 'exec "$@"')
        done = made.install(toy_bundle(tmp_path, "1.0"))
        assert done.returncode == 0, done.stderr
        for name in ASKED:
            made.makes_command(name, f'echo "$@" >>/run/{name}')
        yield made


@pytest.mark.server
@pytest.mark.timeout(240)
def test_every_command_of_the_page_can_be_typed(installed: Machine, tmp_path: Path) -> None:
    (tmp_path / "mqtt_password").write_text("hidden")
    for block in shell_blocks(PAGE):
        installed.follows(block, tmp_path)
    for name, asked in ASKED.items():
        assert installed.reads(f"/run/{name}").splitlines() == asked
    assert installed.does("stat", "-c", "%a %U", "/etc/wanglian/secrets/mqtt_password") == "600 root\n"


def test_the_password_is_where_the_plant_looks_for_it() -> None:
    unit = (ROOT / "edge_deploy" / "systemd" / "wanglian.service").read_text(encoding="utf-8")
    assert "LoadCredential=secrets:/etc/wanglian/secrets\n" in unit
    assert f"${{file:{CREDENTIALS}/secrets_mqtt_password}}" in PAGE.read_text(encoding="utf-8")
