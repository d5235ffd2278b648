"""Reads the dashboards as Grafana does: variables become label values, macros become durations."""

import json
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from tests.deploy.container_net import Namespace
from tests.processes import ROOT

GRAFANA = ROOT / "edge_deploy" / "grafana"
DASHBOARDS = {
    file.stem: json.loads(file.read_text("utf-8")) for file in (GRAFANA / "dashboards").glob("*.json")
}
LABEL_VALUES = re.compile(r"label_values\((?P<selector>.+), (?P<label>\w+)\)")


def provisioned(what: str) -> dict[str, Any]:
    """Return one of the provisioning files."""
    return yaml.safe_load((GRAFANA / "provisioning" / what / "wanglian.yaml").read_text("utf-8"))


(SOURCE,) = provisioned("datasources")["datasources"]


@dataclass(frozen=True)
class Query:
    """One query of one panel."""

    dashboard: str
    panel: str
    ref: str
    expression: str
    instant: bool


def queries() -> Iterator[Query]:
    """Yield every query of every panel."""
    for name, dashboard in DASHBOARDS.items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield Query(name, panel["title"], target["refId"], target["expr"], target["instant"])


class Database:
    """What Grafana asks the data source for, in a namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def ask(self, path: str, **query: str) -> Any:
        """Return the data of an answer."""
        address = f"{SOURCE['url']}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        said = json.loads(self._namespace.get(address))
        assert said["status"] == "success"
        return said["data"]

    def flush(self) -> None:
        """Let what came last be found."""
        self._namespace.get(f"{SOURCE['url']}/internal/force_flush")

    def variables(self, dashboard: str, chosen: dict[str, str]) -> dict[str, list[str]]:
        """Return the values each variable offers, those before it set to All or to what is chosen."""
        offered: dict[str, list[str]] = {}
        for variable in DASHBOARDS[dashboard]["templating"]["list"]:
            match = LABEL_VALUES.fullmatch(variable["query"]["query"])
            assert match, variable["query"]
            before = dict.fromkeys(offered, ".*") | chosen
            selector = filled(match["selector"], before)
            offered[variable["name"]] = self.ask(f"label/{match['label']}/values", **{"match[]": selector})
        return offered

    def query(self, query: Query, now: float, **chosen: str) -> list[dict[str, Any]]:
        """Return what a panel's query answers, at one time or over the last minute."""
        names = [variable["name"] for variable in DASHBOARDS[query.dashboard]["templating"]["list"]]
        expression = filled(query.expression, dict.fromkeys(names, ".*") | chosen)
        if query.instant:
            return self.ask("query", query=expression, time=f"{now:.3f}")["result"]
        span = {"start": f"{now - 60:.3f}", "end": f"{now:.3f}", "step": "1"}
        return self.ask("query_range", query=expression, **span)["result"]


def filled(text: str, variables: dict[str, str]) -> str:
    """Put values in the place of variables; a name that is left is an error."""
    # Grafana: four scrapes, so that two are surely in it.
    everything = variables | {"__rate_interval": f"{4 * scrape_interval_s()}s"}
    result = re.sub(r"\$(\w+)", lambda found: everything[found[1]], text)
    assert "$" not in result
    return result


def scrape_interval_s() -> int:
    """Return what the data source says the interval is."""
    return int(SOURCE["jsonData"]["timeInterval"].removesuffix("s"))
