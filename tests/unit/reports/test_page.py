"""Reports through the interface: ordered, watched, fetched; one at a time, refusals with their reason."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.web.app import create_app
from gateway.web.energy_books import Books
from gateway.web.view import View
from tests.asgi import Answer, ask
from tests.unit.reports.factory import filled, plant_in


class Visitor:
    """A browser that waits for its report."""

    def __init__(self, folder: Path) -> None:
        books = Books(folder / "data", folder / "plant.yaml")
        self.app = create_app(View(folder / "data", 0), books=books)

    def get(self, path: str) -> Answer:
        return asyncio.run(ask(self.app, f"/api/reports/{path}"))

    def made(self, query: str) -> dict[str, Any]:
        answer = self.get(f"order?{query}")
        assert answer.status == 200, answer.body
        for each in threading.enumerate():
            if each.name == "report":
                each.join(60)
        found: dict[str, Any] = self.get(str(answer.json()["number"])).json()
        return found


@pytest.fixture
def visitor(tmp_path: Path) -> Visitor:
    filled(tmp_path, plant_in(tmp_path), days=2)
    return Visitor(tmp_path)


@pytest.mark.parametrize(
    ("ending", "kind", "begins"),
    [("xlsx", "ledger", b"PK"), ("pdf", "carbon", b"%PDF"), ("xlsx", "networking", b"PK")],
)
def test_a_report_is_ordered_watched_and_fetched(
    visitor: Visitor, ending: str, kind: str, begins: bytes
) -> None:
    job = visitor.made(f"kind={kind}&period=2026-10-01&language=both&ending={ending}")
    assert (job["state"], job["name"]) == ("done", f"s-{kind}-2026-10-01.{ending}")
    assert job["rows"] == job["total"] > 0
    assert len(job["hash"]) == 64
    file = visitor.get(f"{job['number']}/file")
    assert file.body.startswith(begins)
    assert job["name"] in file.headers["content-disposition"]


def test_a_report_that_cannot_be_made_says_why_in_both_languages(visitor: Visitor) -> None:
    job = visitor.made("kind=ledger&period=soon")
    assert job["state"] == "failed"
    assert "E-RP-0001" in job["en"]
    assert "E-RP-0001" in job["zh"] != job["en"]
    assert visitor.get(f"{job['number']}/file").status == 404


def test_old_reports_go_and_another_one_waits_for_the_first(visitor: Visitor) -> None:
    numbers = [visitor.made("kind=networking&period=2026-10-01")["number"] for _ in range(5)]
    assert [visitor.get(str(each)).status for each in numbers] == [404, 200, 200, 200, 200]
    busy = visitor.get("order?kind=ledger&period=2026-10-01")
    assert busy.status == 200
    again = visitor.get("order?kind=ledger&period=2026-10-01")
    assert again.status in (200, 503)
    for each in threading.enumerate():
        if each.name == "report":
            each.join(60)


@pytest.mark.parametrize(
    "path", ["order?kind=novel&period=2026", "order?kind=ledger&period=2026&ending=exe", "x"]
)
def test_what_is_no_order_is_refused(visitor: Visitor, path: str) -> None:
    assert visitor.get(path).status == 422
