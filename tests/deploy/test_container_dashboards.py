"""Every query of the dashboards finds data in a real VictoriaMetrics that runs as in the compose file."""

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.deploy.container_grafana import (
    DASHBOARDS,
    GRAFANA,
    SOURCE,
    Database,
    Query,
    provisioned,
    queries,
    scrape_interval_s,
)
from tests.deploy.container_net import Namespace
from tests.deploy.container_run import COMPOSE, services
from tests.processes import Process, python, started, wait_for
from tests.servers.victoria import VICTORIA

VALUES = 5
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Plant:
    """A gateway, its broker and its database, running in a namespace."""

    namespace: Namespace
    database: Database
    leaving: Process
    """The device `leaving`, to be ended."""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """The compose file as processes; beside its trial a meter, one that leaves, one that is absent."""
    folder = tmp_path_factory.mktemp("plant")
    content = yaml.safe_load((COMPOSE / "plant" / "plant.yaml").read_text("utf-8"))
    content["gateway"]["data_dir"] = str(folder / "data")
    with ExitStack() as stack:
        namespace = stack.enter_context(Namespace("boards"))

        def start(name: str, *command: str | Path) -> Process:
            return stack.enter_context(started(name, namespace.run(*command), folder))

        served = {name: meter(folder, name, start) for name in ("steady", "leaving")}
        for name, port in {**{name: port for name, (_, port) in served.items()}, "absent": 1}.items():
            tags = {"v": {"address": 0, "type": "float32", "count": VALUES}}
            device = {"at": "hall/line_2", "scan": "200ms", "tags": tags}
            source = {"kind": "modbus_tcp", "host": "127.0.0.1", "port": port, "devices": {name: device}}
            content["sources"][f"{name}_line"] = source
        (folder / "plant.yaml").write_text(yaml.safe_dump(content), "utf-8")
        settings = (COMPOSE / "mosquitto.conf").read_text().replace("/mosquitto/data/", f"{folder}/")
        (folder / "mosquitto.conf").write_text(f"{settings}user root\n")
        start("mosquitto", "/usr/sbin/mosquitto", "-c", folder / "mosquitto.conf")
        # Scraped every second here: two scrapes of 15 s would be all that this test does.
        scrape = (COMPOSE / "scrape.yaml").read_text()
        faster = scrape.replace(f"scrape_interval: {scrape_interval_s()}s", "scrape_interval: 1s")
        assert faster != scrape
        (folder / "scrape.yaml").write_text(faster)
        start("victoria", VICTORIA, *victoria_arguments(folder))
        wait_for(lambda: namespace.answers(f"{SOURCE['url']}/health"), "the database")
        gateway = start("gateway", *python("-m", "gateway", "run", folder / "plant.yaml"))
        wait_for(lambda: gateway.said("page running"), "the page")
        database = Database(namespace)
        wait_for(lambda: is_filled(database), "values, qualities and a few scrapes")
        yield Plant(namespace, database, served["leaving"][0])


def meter(folder: Path, name: str, start: object) -> tuple[Process, int]:
    """Start a meter that speaks Modbus TCP."""
    said = folder / f"{name}.port"
    command = ["--devices", "1", "--values", str(VALUES), "--journal", folder / f"{name}.journal"]
    process = start(name, *python("-m", "tests.servers.modbus_plant", *command, "--port-file", said))  # type: ignore[operator]
    wait_for(lambda: said.exists() and said.read_text().endswith("}"), f"the meter {name}")
    (port,) = yaml.safe_load(said.read_text())["ports"]
    return process, port


def victoria_arguments(folder: Path) -> list[str]:
    """Return the compose file's, with the container's places in our folder."""
    places = {
        "/victoria-metrics-data": folder / "victoria",
        "/etc/victoria-metrics/scrape.yaml": folder / "scrape.yaml",
    }
    arguments = []
    for argument in services()["victoriametrics"]["command"]:
        name, _, value = argument.partition("=")
        arguments.append(f"{name}={places.get(value, value)}")
    return arguments


def is_filled(database: Database) -> bool:
    database.flush()
    asked = (
        "count(wanglian_quality) > 15",
        "count(wanglian_value) > 10",
        "count_over_time(wanglian_store_bytes[1m]) > 3",
    )
    return all(database.ask("query", query=each)["result"] for each in asked)


@pytest.mark.server
@pytest.mark.system
@pytest.mark.timeout(180)
def test_every_query_of_every_dashboard_returns_data(plant: Plant) -> None:
    empty = [query for query in queries() if not plant.database.query(query, time.time())]
    assert empty == []
    for name in DASHBOARDS:
        offered = plant.database.variables(name, {})
        assert [variable for variable, values in offered.items() if not values] == []


@pytest.mark.server
@pytest.mark.system
@pytest.mark.timeout(180)
def test_what_the_gateway_dashboard_says_is_so(plant: Plant) -> None:
    def newest(title: str, **label: str) -> float:
        found = plant.database.query(find("gateway", title, "A"), time.time())
        (series,) = (each for each in found if label.items() <= each["metric"].items())
        return float(series["value"][1] if "value" in series else series["values"][-1][1])

    assert newest("Answers") == 1
    assert newest("Links down") >= 1, "the device that is not there"
    assert newest("Dropped") == newest("Quarantined") == 0
    assert newest("Links", source="absent_line") == 0
    assert newest("Links", source="steady_line") == 1
    assert newest("Rows collected", source="steady_line") > VALUES
    assert newest("Rows accepted", sink="database") > VALUES
    assert newest("Disk") > 0


@pytest.mark.server
@pytest.mark.system
@pytest.mark.timeout(180)
def test_a_chosen_device_is_the_only_one_shown(plant: Plant) -> None:
    offered = plant.database.variables("plant", {"device": "press_1"})
    assert offered["tag"] == ["energy", "temperature"]
    shown = plant.database.query(find("plant", "Values", "A"), time.time(), device="press_1")
    assert {each["metric"]["device"] for each in shown} == {"press_1"}


@pytest.mark.server
@pytest.mark.system
@pytest.mark.timeout(180)
def test_a_tag_that_turns_bad_is_counted_and_loses_its_value(plant: Plant) -> None:
    newest = find("plant", "Newest of every tag", "A")
    assert len(plant.database.query(newest, time.time(), device="leaving")) == VALUES
    plant.leaving.end()

    def shown(query: Query) -> list[dict[str, object]]:
        plant.database.flush()
        return plant.database.query(query, time.time(), device="leaving")

    wait_for(lambda: shown(newest) == [], "the values' end")
    (bad,) = shown(find("plant", "Bad", "A"))
    assert bad["value"][1] == str(VALUES)  # type: ignore[index]
    (good,) = shown(find("plant", "Good", "A"))
    assert good["value"][1] == "0"  # type: ignore[index]
    assert len(shown(find("plant", "Newest of every tag", "B"))) == VALUES


@pytest.mark.server
@pytest.mark.system
@pytest.mark.timeout(180)
def test_nothing_listens_on_any_address_but_this_machines_own(plant: Plant) -> None:
    said = subprocess.check_output(plant.namespace.run("ss", "-Htln"), text=True)
    addresses = {line.split()[3] for line in said.splitlines()}
    assert {"127.0.0.1:1883", "127.0.0.1:8428", "127.0.0.1:9464", "127.0.0.1:8080"} <= addresses
    assert {address.rpartition(":")[0] for address in addresses} == {"127.0.0.1"}


def find(dashboard: str, title: str, ref: str) -> Query:
    (found,) = (
        query
        for query in queries()
        if (query.dashboard, query.ref) == (dashboard, ref) and query.panel.endswith(f"· {title}")
    )
    return found


def test_dashboards_ask_the_provisioned_source_under_names_that_stay() -> None:
    assert {name: dashboard["uid"] for name, dashboard in DASHBOARDS.items()} == {
        "plant": "wanglian-plant",
        "gateway": "wanglian-gateway",
    }
    assert (SOURCE["uid"], SOURCE["type"]) == ("wanglian-victoriametrics", "prometheus")
    for dashboard in DASHBOARDS.values():
        panels = dashboard["panels"]
        asked = [
            *panels,
            *dashboard["templating"]["list"],
            *(t for panel in panels for t in panel["targets"]),
        ]
        assert {each["datasource"]["uid"] for each in asked} == {SOURCE["uid"]}
        assert len({panel["id"] for panel in panels}) == len(panels)
        for link in dashboard["links"]:
            assert link["url"].removeprefix("/d/") in {each["uid"] for each in DASHBOARDS.values()}


def test_grafana_finds_source_and_dashboards_where_the_compose_file_puts_them() -> None:
    mounted = dict(volume.split(":")[1::-1] for volume in services()["grafana"]["volumes"])
    (provider,) = provisioned("dashboards")["providers"]
    assert (COMPOSE / mounted[provider["options"]["path"]]).resolve() == GRAFANA / "dashboards"
    home = services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/plant.json"
    for what in ("datasources", "dashboards"):
        assert (
            COMPOSE / mounted[f"/etc/grafana/provisioning/{what}"]
        ).resolve() == GRAFANA / "provisioning" / what


def test_the_source_knows_how_often_the_gateway_is_asked() -> None:
    scrape = yaml.safe_load((COMPOSE / "scrape.yaml").read_text())
    assert scrape["global"]["scrape_interval"] == SOURCE["jsonData"]["timeInterval"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_lie_beside_each_other_and_are_named_in_both_languages(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARDS[name]["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
        chinese, english = panel["title"].split(" · ")
        assert CHINESE.search(chinese)
        assert not CHINESE.search(english)
        said = panel.get("description", "")
        assert not said or (CHINESE.search(said) and re.search("[a-z]{3}", said))
