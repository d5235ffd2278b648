"""A plant whose books, page, reports and invoices are asked for the same money: six weeks of spring 2026."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from config.load import read_plant
from gateway.energy.bookkeeping.files import FOLDER
from gateway.energy.bookkeeping.manual import from_csv, write_down
from gateway.energy.pricing.plan import plan_of
from gateway.energy.pricing.timetable import Plan
from gateway.web.app import create_app
from gateway.web.energy_books import Books
from gateway.web.view import View
from tests.asgi import Answer, ask
from tests.unit.energy.lab import MINUTE, Lab

QUARTER: Final = 15 * MINUTE
SUPPLY: Final[dict[str, Any]] = {
    "use": "jiangsu-2025", "class": "two_part", "from": "2025-06-01", "overlays_on": "base",
    "contract": {"capacity_kva": 1000, "charge": "demand", "power_factor": 0.9,
                 "reverse_reactive": "ignored"},
    "standing": {"purchase": 0.412345, "losses": 0.0196, "demand": 48.0,
                 "transmission": 0.1368, "system": -0.0021, "funds": 0.0295},
}  # fmt: skip
SHIFTS: Final = {
    "early": {"from": "07:50", "to": "15:50", "breaks": [{"from": "11:30", "to": "12:00"}]},
    "late": {"from": "15:50", "to": "23:50", "days": ["mon", "tue", "wed", "thu", "fri"]},
}
BATCHES: Final = """batch,at,from,to
B1,hall,2026-04-02T08:07,2026-04-02T13:41
B2,hall,2026-04-02T13:41,2026-04-03T01:00
B3,hall,2026-04-03T01:00,2026-04-06T09:15
"""


class Office:
    """Three counters and a reactive one, read each quarter of an hour from 20 March to 8 May."""

    def __init__(
        self, folder: Path, *, supply: dict[str, Any] = SUPPLY, carbon: Any = None, **energy: Any
    ) -> None:
        def device(*names: str) -> dict[str, Any]:
            units = {"er_import": "kvarh"}
            tags = {name: {"shape": "counter", "unit": units.get(name, "kWh")} for name in names}
            return {"at": "hall/line_1", "scan": "15min", "tags": tags}

        devices = {
            "main": device("e_import", "er_import") | {"at": "-/-"},
            "press": device("e_import"),
            "oven": device("e_import") | {"at": "hall/line_2"},
        }
        text = yaml.safe_dump(
            {
                "gateway": {"id": "g", "site": "s", "data_dir": "data"},
                "sources": {"src": {"kind": "simulated", "devices": devices}},
                "energy": {
                    "meters": {
                        "main": {"at": "-"}, "main.reactive": {"at": "-"},
                        "press": {"parent": "main"}, "oven": {"parent": "main"},
                    },
                    "shifts": SHIFTS,
                } | energy,
                "tariff": [supply],
                "carbon": carbon or {},
                "calendar": {"major_holidays": ["labour_day"]},
            },
            allow_unicode=True,
        )  # fmt: skip
        self.folder, self.file = folder, folder / "plant.yaml"
        self.file.write_text(text, encoding="utf-8")
        outcome = read_plant(self.file)
        assert outcome.plant is not None, [each.render("en") for each in outcome.problems]
        self.plant = outcome.plant
        books = folder / "data" / FOLDER
        books.mkdir(parents=True)
        lab = Lab(books, self.plant)
        self.calendar, self.query = lab.calendar, lab.query
        self.now = lab.at("2026-05-08")
        times = np.arange(lab.at("2026-03-20"), self.now + 1, QUARTER)
        rng = np.random.default_rng(5)
        press, oven = (rng.integers(0, 4_000, len(times)) / 100 for _ in range(2))
        for name, each in {"press": press, "oven": oven, "main": press + oven + 1.37}.items():
            lab.book(lab.delivery(name, times, np.round(np.cumsum(each), 2)))
        lab.book(lab.delivery("main.reactive", times, np.round(np.cumsum((press + oven) * 0.6), 2)))
        found = from_csv(BATCHES, lab.meters, lab.calendar, "s", self.now)
        write_down(books, found, "Li", self.now)
        lab.ledger.book([])
        lab.ledger.close()
        plan = plan_of(self.plant)
        assert plan is not None
        self.plan: Plan = plan
        self.app = create_app(
            View(folder / "data", 0), books=Books(folder / "data", self.file, lambda: self.now)
        )

    def at(self, text: str) -> int:
        """Return ns UTC of a local time."""
        return self.calendar.moment(datetime.fromisoformat(text))

    def get(self, path: str, start: int | str, end: int | str, **query: Any) -> Answer:
        first, last = (self.at(each) if isinstance(each, str) else each for each in (start, end))
        words = {"start": first // 10**6, "end": last // 10**6} | query
        text = "&".join(f"{name}={value}" for name, value in words.items())
        return asyncio.run(ask(self.app, f"/api/energy/{path}?{text}"))

    def figures(self, start: int | str, end: int | str, **query: Any) -> Any:
        answer = self.get("figures", start, end, **({"subject": "s"} | query))
        assert answer.status == 200, answer.body
        return answer.json()
