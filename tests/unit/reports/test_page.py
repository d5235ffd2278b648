"""Reports through the interface: ordered, watched, fetched, kept over restarts, checked, deleted."""

import asyncio
import os
import random
import threading
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from connectors import SystemClock
from gateway.security import House
from gateway.security.audit import entries
from gateway.web.app import create_app
from gateway.web.energy_books import Books
from gateway.web.reports.archive import Archive, Full, Ordered
from gateway.web.view import View
from tests.asgi import Answer, ask
from tests.unit.reports.factory import filled, plant_in, plant_text
from tests.unit.web.people import ORIGIN, as_user, take

SCALE = float(os.environ.get("WL_SCALE", "0.1"))
OCTETS = {"content_type": "application/octet-stream"}


class Visitor:
    """A browser that waits for its report."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.house = House(self.data)
        self.who = ORIGIN
        books = Books(self.data, folder / "plant.yaml")
        self.app = create_app(View(self.data, 0), books=books, house=self.house)

    def get(self, path: str = "") -> Answer:
        return asyncio.run(ask(self.app, f"/api/reports{path}", **self.who))

    def send(self, path: str, body: bytes, **more: Any) -> Answer:
        return asyncio.run(
            ask(self.app, f"/api/reports{path}", body=body, **{"method": "POST"} | self.who | more)
        )

    def order(self, **what: Any) -> Answer:
        return self.send("", orjson.dumps({"kind": "ledger", "period": "2026-10-01"} | what))

    def delete(self, number: int) -> Answer:
        return asyncio.run(ask(self.app, f"/api/reports/{number}", method="DELETE", **self.who))

    def made(self, **what: Any) -> dict[str, Any]:
        answer = self.order(**what)
        assert answer.status == 200, answer.body
        for each in threading.enumerate():
            if each.name == "report":
                each.join(60)
        found: dict[str, Any] = self.get(f"/{answer.json()['number']}").json()
        return found

    def sign_in(self, name: str, role: Any) -> None:
        take(self.house, name, role)
        self.who = as_user(self.house, name)


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Visitor]:
    filled(tmp_path, plant_in(tmp_path), days=2)
    made = Visitor(tmp_path)
    with made.house:
        yield made


@pytest.mark.parametrize(
    ("ending", "kind", "begins"),
    [("xlsx", "ledger", b"PK"), ("pdf", "carbon", b"%PDF"), ("xlsx", "networking", b"PK")],
)
def test_a_report_is_ordered_watched_and_fetched(
    visitor: Visitor, ending: str, kind: str, begins: bytes
) -> None:
    job = visitor.made(kind=kind, language="both", ending=ending)
    assert (job["state"], job["name"]) == ("done", f"s-{kind}-2026-10-01.{ending}")
    assert job["rows"] == job["total"] > 0
    assert len(job["hash"]) == 64
    file = visitor.get(f"/{job['number']}/file")
    assert file.body.startswith(begins)
    assert job["name"] in file.headers["content-disposition"]


def test_a_report_that_cannot_be_made_says_why_in_both_languages_and_is_not_listed(visitor: Visitor) -> None:
    job = visitor.made(period="soon")
    assert (job["state"], job["code"]) == ("failed", "E-RP-0001")
    assert job["en"] != job["zh"]
    assert visitor.get(f"/{job['number']}/file").json()["code"] == "E-RP-0014"
    assert visitor.get().json()["reports"] == []
    assert visitor.made(period="1999..2026")["code"] == "E-RP-0015"


def test_what_was_made_is_listed_after_a_restart_with_who_ordered_it(
    visitor: Visitor, tmp_path: Path
) -> None:
    visitor.sign_in("mei", "viewer")
    first, second = (visitor.made(kind=kind, ending="pdf") for kind in ("carbon", "networking"))
    visitor.house.__exit__(None, None, None)
    again = Visitor(tmp_path)
    with again.house:
        again.who = as_user(again.house, "mei")
        found = again.get().json()
        assert [each["number"] for each in found["reports"]] == [second["number"], first["number"]]
        told = found["reports"][1]
        assert (told["who"], told["kind"], told["period"]) == ("mei", "carbon", "2026-10-01")
        file = again.get(f"/{first['number']}/file").body
        assert (told["hash"], told["bytes"]) == (first["hash"], len(file))
        assert again.get(f"/{first['number']}").json() == first
        assert again.made()["number"] == second["number"] + 1


def test_orders_and_deletions_are_in_the_audit_log_and_only_engineers_delete(visitor: Visitor) -> None:
    visitor.sign_in("mei", "auditor")
    job = visitor.made(kind="networking")
    assert visitor.delete(job["number"]).status == 403
    visitor.sign_in("eva", "engineer")
    assert visitor.delete(job["number"]).json() == {"number": job["number"]}
    assert visitor.get(f"/{job['number']}/file").json()["code"] == "E-RP-0013"
    assert not list((visitor.data / "reports").glob("*.xlsx"))
    log = [each for each in entries(visitor.data / "security") if each.what != "login"]
    said = [(each.who, each.what, orjson.loads(each.about)) for each in log]
    assert [each[:2] for each in said] == [
        ("mei", "report.ordered"), ("mei", "report.made"), ("eva", "report.deleted"), ("eva", "exported"),
    ]  # fmt: skip
    assert said[1][2]["hash"] == said[2][2]["hash"] == job["hash"]


def test_another_page_can_order_nothing_and_nothing_is_ordered_by_looking(visitor: Visitor) -> None:
    visitor.sign_in("mei", "viewer")
    body = orjson.dumps({"kind": "ledger", "period": "2026-10-01"})
    assert visitor.send("", body, origin="http://elsewhere.example").status == 403
    assert visitor.send("", body, x_proof="guessed").json()["code"] == "E-PG-0009"
    assert visitor.send("", body, content_type="text/plain").status == 415
    assert visitor.get("/order?kind=ledger&period=2026-10-01").status == 422
    assert visitor.get().json()["reports"] == []


def test_one_is_made_at_a_time(visitor: Visitor) -> None:
    assert visitor.order().status == 200
    again = visitor.order()
    assert again.status == 200 or again.json()["code"] == "E-RP-0012"
    for each in threading.enumerate():
        if each.name == "report":
            each.join(60)


@pytest.mark.parametrize(
    "what", [{"kind": "novel"}, {"ending": "exe"}, {"period": "x"}, {"interval": "second"}]
)
def test_what_is_no_order_is_refused(visitor: Visitor, what: dict[str, str]) -> None:
    assert visitor.order(**what).json()["code"] == "E-PG-0001"


@pytest.mark.parametrize("ending", ["xlsx", "pdf"])
def test_a_file_is_checked_against_itself_and_the_books(
    visitor: Visitor, tmp_path: Path, ending: str
) -> None:
    job = visitor.made(kind="carbon", ending=ending)
    verdict = visitor.get(f"/{job['number']}/verdict").json()
    file = visitor.get(f"/{job['number']}/file").body
    sent = visitor.send("/check", file, **OCTETS).json()
    assert sent | {"name": ""} == verdict | {"name": ""}
    assert (sent["hash"], sent["today"], sent["changed"]) == (job["hash"], job["hash"], [])
    assert (sent["kind"], sent["period"], sent["kept"]) == ("carbon", "2026-10-01", [job["number"]])
    assert visitor.send("/check", forged(file), **OCTETS).json()["changed"] != []
    older = [{"area": "jiangsu", "year": 2021, "calibre": "average"}]
    carbon = yaml.safe_load(plant_text())["carbon"] | {"electricity": older}
    plant_in(tmp_path, carbon=carbon)
    again = visitor.send("/check", file, **OCTETS).json()
    assert (again["hash"], again["changed"]) == (job["hash"], [])
    assert again["today"] != job["hash"]


def forged(file: bytes) -> bytes:
    """Return a report of which one figure or word was changed."""
    if file.startswith(b"%PDF"):
        at = file.rindex(b"startxref")
        return file[:at] + b"\n" + file[at:]
    made = BytesIO()
    with zipfile.ZipFile(BytesIO(file)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, text.replace(b"kgCO2<", b"kgCO3<", 1) if name.endswith("sheet2.xml") else text)
    return made.getvalue()


@pytest.mark.parametrize(
    ("body", "code"), [(b"hello", "E-RP-0004"), (b"PK nothing", "E-RP-0005"), (b"%PDF-1.4", "E-RP-0005")]
)
def test_what_is_no_report_is_told(visitor: Visitor, body: bytes, code: str) -> None:
    assert visitor.send("/check", body, **OCTETS).json()["code"] == code


def test_a_workbook_that_unpacks_to_more_than_memory_is_refused_before_it_is_read(visitor: Visitor) -> None:
    made = BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/workbook.xml", bytes(40 * 2**20))
    assert visitor.send("/check", made.getvalue(), **OCTETS).json()["code"] == "E-RP-0016"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Visitor, dict[str, bytes]]]:
    folder = tmp_path_factory.mktemp("reports")
    filled(folder, plant_in(folder), days=2)
    made = Visitor(folder)
    with made.house:
        files = {
            each: made.get(f"/{made.made(kind='networking', ending=each)['number']}/file").body
            for each in ("xlsx", "pdf")
        }
        yield made, files


def test_a_file_somebody_has_tampered_with_is_answered_and_never_breaks_the_page(
    reports: tuple[Visitor, dict[str, bytes]],
) -> None:
    visitor, files = reports
    seen = set()
    for seed in range(max(30, int(300 * SCALE))):
        dice = random.Random(seed)
        answer = visitor.send("/check", tampered(files, dice), **OCTETS)
        seen.add(answer.status)
        assert answer.status in (200, 422), (seed, answer.body)
    assert seen == {200, 422}


def tampered(files: dict[str, bytes], dice: random.Random) -> bytes:
    """Change a few bytes anywhere, or of the lines a PDF carries: a PDF of ours but for what it says."""
    where = dice.choice(["xlsx", "pdf", "lines", "lines"])
    file = bytearray(files["pdf" if where == "lines" else where])
    first, last = 2, len(file) - 1
    if where == "lines":
        first = file.index(b'{"made"')
        last = file.index(b"endstream", first)
    for _ in range(dice.randint(1, 3)):
        at = dice.randint(first, last)
        piece = dice.choice(
            [dice.randbytes(dice.randint(0, 8)), b"[" * 3000, b"null", b"1e99", b"9" * 30, b"{}"]
        )
        file[at : at + dice.randint(0, 8)] = piece
    return bytes(file)


def ordered(who: str = "mei") -> Ordered:
    return Ordered("r.pdf", "ledger", "2026-10", "", "zh", "pdf", who)


def kept(archive: Archive, size: int, who: str = "mei", *, may_delete: bool = True) -> int:
    number = archive.begin(ordered(who), may_delete=may_delete)
    archive.place(number, "pdf").write_bytes(bytes(size))
    archive.finish(number, 1, "h", may_delete=may_delete)
    return number


@pytest.mark.fault("S10")
def test_who_may_not_delete_pushes_out_only_their_own(tmp_path: Path, record_measure) -> None:
    archive = Archive(tmp_path, SystemClock(), most=4, most_bytes=100)
    others = [kept(archive, 10) for _ in range(2)]
    mine = [kept(archive, 10, "vi", may_delete=False) for _ in range(20)]
    assert [each.number for each in archive.all()] == [*mine[:-3:-1], *others[::-1]]
    last = kept(archive, 200, "vi", may_delete=False)  # of whatever size: once
    assert [each.number for each in archive.all()] == [last, *others[::-1]]
    for who in ("token", "bo"):
        with pytest.raises(Full):
            archive.begin(ordered(who), may_delete=False)
    assert [each.number for each in archive.all()] == [last, *others[::-1]]
    kept(archive, 10, "eva")
    assert len(archive.all()) == 1
    record_measure("21 reports of a viewer beside 2 of an engineer: 0 of the engineer's gone", row="S10")


def test_beyond_the_bounds_the_oldest_go_and_the_newest_stays_whatever_its_size(tmp_path: Path) -> None:
    archive = Archive(tmp_path, SystemClock(), most=3, most_bytes=100)

    def keep(size: int) -> int:
        return kept(archive, size)

    first, *others = (keep(10) for _ in range(4))
    assert [each.number for each in archive.all()] == others[::-1]
    assert not archive.place(first, "pdf").exists()
    large = keep(90)
    assert [each.number for each in archive.all()] == [large, others[-1]]
    assert [each.number for each in [archive.all()[0]]] == [large]
    huge = keep(200)
    assert [each.number for each in archive.all()] == [huge]
    assert sorted(each.name for each in archive.folder.glob("*.pdf")) == [f"{huge}.pdf"]


def test_what_a_process_left_half_made_is_never_listed_and_goes_with_the_next_order(tmp_path: Path) -> None:
    archive = Archive(tmp_path, SystemClock())
    half = archive.begin(ordered(), may_delete=True)
    archive.place(half, "pdf").write_bytes(b"%PDF-half")
    (archive.folder / f".{half}.pdf.part").write_bytes(b"%PDF-less")
    (archive.folder / "note.txt").write_text("somebody's")
    again = Archive(tmp_path, SystemClock())
    assert again.all() == []
    number = again.begin(ordered(), may_delete=True)
    assert number > half
    assert {each.suffix for each in again.folder.iterdir()} == {".sqlite", ".txt"}


def test_a_report_whose_file_somebody_took_away_is_no_longer_listed(tmp_path: Path) -> None:
    archive = Archive(tmp_path, SystemClock())
    number = archive.begin(ordered(), may_delete=True)
    archive.place(number, "pdf").write_bytes(b"%PDF")
    archive.finish(number, 1, "h", may_delete=True)
    assert archive.one(number) is not None
    archive.place(number, "pdf").unlink()
    assert archive.one(number) is None
