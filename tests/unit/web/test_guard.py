from pathlib import Path

import pytest

from gateway.web.app import create_app
from gateway.web.first import NOT_BUILT
from tests.asgi import ask
from tests.unit.web.conftest import Plant


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "assets" / "a-1.js").write_text("1")
    return folder


@pytest.mark.fault("S2")
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "10.0.0.1"]
)
async def test_a_name_that_is_not_this_machine_is_not_served(plant: Plant, host: str) -> None:
    answer = await ask(create_app(plant), "/api/tags", host=host)
    assert answer.status == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "127.0.0.1"])
async def test_this_machines_own_names_are_served(plant: Plant, host: str) -> None:
    assert (await ask(create_app(plant), "/api/tags", host=host)).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_the_page_only_reads(plant: Plant, method: str) -> None:
    assert (await ask(create_app(plant), "/api/tags", method=method)).status == 405


@pytest.mark.parametrize(
    "headers", [{"content_length": "65537"}, {"transfer_encoding": "chunked"}, {"content_length": "-1"}]
)
async def test_a_body_is_refused_before_it_is_read(plant: Plant, headers: dict[str, str]) -> None:
    assert (await ask(create_app(plant), "/api/tags", **headers)).status == 413


@pytest.mark.fault("S3")
@pytest.mark.parametrize("path", ["/", "/api/tags", "/api/none", "/assets/a-1.js", "/none"])
async def test_every_answer_forbids_frames_foreign_scripts_and_guessed_types(
    plant: Plant, built: Path, path: str
) -> None:
    headers = (await ask(create_app(plant, built), path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


async def test_files_with_a_hash_stay_in_the_browser_and_the_rest_does_not(plant: Plant, built: Path) -> None:
    app = create_app(plant, built)
    assert "immutable" in (await ask(app, "/assets/a-1.js")).headers["cache-control"]
    for path in ("/", "/api/tags"):
        assert (await ask(app, path)).headers["cache-control"] == "no-store"


@pytest.mark.fault("S4")
async def test_nothing_outside_the_built_page_is_served(plant: Plant, built: Path) -> None:
    (built.parent / "secret").write_text("x")
    for path in ("/assets/../../secret", "/assets/%2e%2e/%2e%2e/secret", "/assets//etc/passwd"):
        assert (await ask(create_app(plant, built), path)).status == 404


async def test_a_page_that_was_not_built_says_how_to_build_it(plant: Plant, tmp_path: Path) -> None:
    answer = await ask(create_app(plant, tmp_path / "none"), "/")
    assert (answer.status, answer.body.decode()) == (503, NOT_BUILT)
