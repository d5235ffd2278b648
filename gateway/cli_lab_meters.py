"""`wanglian lab dlt645` and `wanglian lab cjt188`: simulated meters, of a plant file or a few."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from config.connections import Cjt188Device, Cjt188Source, Dlt645Device, Dlt645Source
from config.connections.cjt188 import TYPES
from config.dlt645_identifiers import TemplateName, identifiers
from config.problems import Language, default_language
from gateway.cli_lab_options import (
    Connections,
    FaultOption,
    For,
    Host,
    PlantArgument,
    Port,
    ScenarioOption,
    Seed,
    Serial,
    SourceOption,
    run,
    scenario_of,
    work_for,
)
from gateway.cli_lab_points import only_source
from gateway.console import Lang, fail, load, say
from gateway.lab.meters.line import Held, MeterLine, Speech
from gateway.lab.meters.readings import Reading, consumption, electricity

Meters = dict[str, dict[str, Held]]
"""By address: what each has, by identifier."""
Units = Annotated[int, typer.Option(min=1, max=999, help="Without a plant: meters 1 to this. 台数。")]


def lab_dlt645(
    plant_file: PlantArgument = None,
    *,
    source: SourceOption = None,
    template: Annotated[TemplateName | None, typer.Option(help="Serve this template. 电表模板。")] = None,
    units: Units = 1,
    port: Port = 8899,
    host: Host = "127.0.0.1",
    serial: Serial = None,
    connections: Connections = 1000,
    fault: FaultOption = None,
    scenario: ScenarioOption = None,
    seed: Seed = None,
    for_: For = None,
    lang: Lang = None,
) -> None:
    """Simulate DL/T 645-2007 electricity meters. 模拟 DL/T 645-2007 电表。"""
    language = lang or default_language()
    if plant_file is not None:
        plant, language = load(plant_file, lang)
        fitting = {name: each for name, each in plant.sources.items() if isinstance(each, Dlt645Source)}
        devices = dict(only_source(plant, source, fitting, "dlt645", language).devices)
    elif template is not None:
        devices = {
            f"m{i}": Dlt645Device.model_validate({"address": f"{i:012d}", "template": template})
            for i in range(1, units + 1)
        }
    else:
        fail(say(language, "lab.nothing"))
    meters: Meters = {
        _label(device.address, 12): electricity(_of_645(device), number)
        for number, device in enumerate(devices.values(), 1)
    }
    _serve("dlt645", meters, (host, port, serial, connections), (fault, scenario, seed, for_), language)


def lab_cjt188(
    plant_file: PlantArgument = None,
    *,
    source: SourceOption = None,
    type_: Annotated[
        Literal["cold_water", "hot_water", "heat", "gas", "electricity"] | None,
        typer.Option("--type", help="Serve this kind of meter. 表的类型。"),
    ] = None,
    units: Units = 1,
    port: Port = 8899,
    host: Host = "127.0.0.1",
    serial: Serial = None,
    connections: Connections = 1000,
    fault: FaultOption = None,
    scenario: ScenarioOption = None,
    seed: Seed = None,
    for_: For = None,
    lang: Lang = None,
) -> None:
    """Simulate CJ/T 188 water, heat and gas meters. 模拟 CJ/T 188 水表、热量表、燃气表。"""
    language = lang or default_language()
    if plant_file is not None:
        plant, language = load(plant_file, lang)
        fitting = {name: each for name, each in plant.sources.items() if isinstance(each, Cjt188Source)}
        devices = dict(only_source(plant, source, fitting, "cjt188", language).devices)
    elif type_ is not None:
        tags = {"total": {"counter": True}}
        devices = {
            f"m{i}": Cjt188Device.model_validate({"address": f"{i:014d}", "type": type_, "tags": tags})
            for i in range(1, units + 1)
        }
    else:
        fail(say(language, "lab.nothing"))
    meters: Meters = {
        f"{TYPES[device.type]:02x}{_label(device.address, 14)}": consumption(_of_188(device), number)
        for number, device in enumerate(devices.values(), 1)
    }
    _serve("cjt188", meters, (host, port, serial, connections), (fault, scenario, seed, for_), language)


def _label(address: str, digits: int) -> str:
    """Return the meter's number; the only one on a line that is asked for anyone has one too."""
    return f"{1:0{digits}d}" if address == "any" else address


def _of_645(device: Dlt645Device) -> list[Reading]:
    readings = []
    for name, tag in device.tags.items():
        before, _, behind = (tag.format or "").partition(".")
        known = identifiers().get(tag.di.upper())
        digits = len(before) + len(behind)
        readings.append(
            Reading(
                name,
                tag.di.upper(),
                digits,
                len(behind),
                digits // 2 if known is None else known.bytes,
                tag.scale,
                tag.offset,
                tag.unit.symbol,
                tag.counter,
                tag.signed,
            )
        )
    return readings


def _of_188(device: Cjt188Device) -> list[Reading]:
    readings = []
    for name, tag in device.tags.items():
        di = tag.di.upper()
        readings.append(
            Reading(
                name,
                di if device.di_order == "low_first" else di[2:] + di[:2],
                8,
                tag.decimals,
                4,
                tag.scale,
                tag.offset,
                tag.unit.symbol,
                tag.counter,
                place=tag.place,
                unit_code=tag.expected or 0,
            )
        )
    return readings


def _serve(
    speech: Speech,
    meters: Meters,
    where: tuple[str, int, Path | None, int],
    told: tuple[list[str] | None, Path | None, int | None, str | None],
    language: Language,
) -> None:
    from gateway.lab.meters import replies  # noqa: PLC0415  what `check` does not need, it does not import

    host, port, serial, connections = where
    faults, file, seed, for_ = told
    script = replies.scripted(scenario_of(faults, file, replies.FAULTS, seed, language))
    line = MeterLine(speech, meters, script, port, host, connections, keep=False)
    listed = ", ".join(address if speech == "dlt645" else address[2:] for address in meters)

    async def serve() -> int:
        if serial is not None:
            from gateway.lab.meters.terminal import MeterTerminal  # noqa: PLC0415  not on Windows

            async with MeterTerminal(serial, line):
                typer.echo(say(language, "lab.meters", kind=speech, where=serial, addresses=listed))
                typer.echo(say(language, "lab.no_parity"))
                await work_for(for_)
        else:
            async with line:
                at = f"{host}:{line.port}"
                typer.echo(say(language, "lab.meters", kind=speech, where=at, addresses=listed))
                await work_for(for_)
        return line.count

    run(serve(), language, lambda count: say(language, "lab.asked", count=count))
