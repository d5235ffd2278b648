"""`wanglian lab`: simulated equipment and a proxy that go wrong by script, to try a plant file against."""

import asyncio
import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from config.problems import default_language
from gateway.cli_lab_meters import lab_cjt188, lab_dlt645
from gateway.cli_lab_opcua import lab_opcua
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
    address_of,
    in_short,
    run,
    scenario_of,
    work_for,
)
from gateway.cli_lab_points import Points, of_plant, of_template
from gateway.console import Lang, fail, load, print_json, print_table, say
from gateway.lab.modbus.replies import Script, silent

lab_app = typer.Typer(no_args_is_help=True, help="Equipment that goes wrong, to try with. 故障试验台。")
lab_app.command("dlt645")(lab_dlt645)
lab_app.command("cjt188")(lab_cjt188)
lab_app.command("opcua")(lab_opcua)


@lab_app.command("modbus")
def lab_modbus(
    plant_file: PlantArgument = None,
    *,
    source: SourceOption = None,
    template: Annotated[str | None, typer.Option(help="Serve this template. 设备模板。")] = None,
    units: Annotated[int, typer.Option(min=1, max=247, help="Of a template: unit ids 1 to this. 台数。")] = 1,
    port: Port = 5020,
    host: Host = "127.0.0.1",
    serial: Serial = None,
    connections: Connections = 1000,
    fault: FaultOption = None,
    scenario: ScenarioOption = None,
    seed: Seed = None,
    for_: For = None,
    lang: Lang = None,
) -> None:
    """Simulate Modbus devices of a template or a plant file. 模拟 Modbus 设备。"""
    from gateway.lab.modbus import replies  # noqa: PLC0415  what `check` does not need, it does not import
    from gateway.lab.modbus.meter import Meter  # noqa: PLC0415
    from gateway.lab.modbus.tcp import TcpEquipment  # noqa: PLC0415

    language = lang or default_language()
    if plant_file is not None:
        plant, language = load(plant_file, lang)
        points = of_plant(plant, source, language)
    elif template is not None:
        points = of_template(template, units, language)
    else:
        fail(say(language, "lab.nothing"))
    meter = Meter(points)
    script = _only(replies.scripted(scenario_of(fault, scenario, replies.FAULTS, seed, language)), points)

    async def serve() -> int:
        if serial is not None:
            from gateway.lab.modbus.line import SerialEquipment  # noqa: PLC0415  not on Windows

            async with SerialEquipment(serial, script, memory=meter, keep=False) as line:
                typer.echo(say(language, "lab.line", where=serial, units=_listed(points)))
                typer.echo(say(language, "lab.no_parity"))
                await work_for(for_)
                return line.count
        equipment = TcpEquipment(script, host, port, meter, connections, keep=False)
        async with equipment:
            typer.echo(say(language, "lab.modbus", where=f"{host}:{equipment.port}", units=_listed(points)))
            await work_for(for_)
            return equipment.count

    run(serve(), language, lambda count: say(language, "lab.asked", count=count))


@lab_app.command("mqtt")
def lab_mqtt(
    to: Annotated[str, typer.Option(help="The broker, host:port. 消息服务器。")] = "127.0.0.1:1883",
    *,
    topic: Annotated[str, typer.Option(help="Topics begin with this. 主题前缀。")] = "sensors",
    sensors: Annotated[int, typer.Option(min=1, help="How many sensors. 传感器数。")] = 5,
    rate: Annotated[float, typer.Option(min=0.01, help="Messages a second. 每秒消息数。")] = 1.0,
    fault: FaultOption = None,
    scenario: ScenarioOption = None,
    seed: Seed = None,
    for_: For = None,
    lang: Lang = None,
) -> None:
    """Simulate sensors that publish on a broker. 模拟发布消息的传感器。"""
    from gateway.lab.mqtt import FAULTS, Sensors, publish  # noqa: PLC0415

    language = lang or default_language()
    host, port = address_of(to, language)
    speaking = Sensors(scenario_of(fault, scenario, FAULTS, seed, language), topic=topic, sensors=sensors)

    async def serve() -> int:
        typer.echo(say(language, "lab.mqtt", where=to, topic=f"{topic}/+/data"))
        await work_for(for_, publish(speaking, host, port, rate))
        return speaking.said

    run(serve(), language, lambda count: say(language, "lab.said", count=count))


@lab_app.command("sparkplug")
def lab_sparkplug(
    to: Annotated[str, typer.Option(help="The broker, host:port. 消息服务器。")] = "127.0.0.1:1883",
    *,
    group: Annotated[str, typer.Option(help="Their group. 组名。")] = "lab",
    nodes: Annotated[int, typer.Option(min=1, help="How many edge nodes. 边缘节点数。")] = 2,
    devices: Annotated[int, typer.Option(min=0, help="How many devices each has. 每个节点的设备数。")] = 1,
    rate: Annotated[float, typer.Option(min=0.01, help="Messages a second. 每秒消息数。")] = 1.0,
    fault: FaultOption = None,
    scenario: ScenarioOption = None,
    seed: Seed = None,
    for_: For = None,
    lang: Lang = None,
) -> None:
    """Simulate Sparkplug B edge nodes on a broker. 模拟 Sparkplug B 边缘节点。"""
    from gateway.lab.edge_nodes import FAULTS, Nodes, publish  # noqa: PLC0415

    language = lang or default_language()
    host, port = address_of(to, language)
    told = scenario_of(fault, scenario, FAULTS, seed, language)
    speaking = Nodes(told, group=group, nodes=nodes, devices=devices)

    async def serve() -> int:
        typer.echo(say(language, "lab.sparkplug", where=to, group=group, count=nodes))
        await work_for(for_, publish(speaking, host, port, rate))
        return speaking.said

    run(serve(), language, lambda count: say(language, "lab.told", count=count, births=speaking.rebirths))


@lab_app.command("proxy")
def lab_proxy(
    to: Annotated[str, typer.Option(help="Where to pass everything, host:port. 目标。")],
    *,
    listen: Port = 0,
    host: Host = "127.0.0.1",
    latency: Annotated[str, typer.Option(help="Later by this, each way. 延迟。")] = "0s",
    jitter: Annotated[str, typer.Option(help="And by up to this more. 抖动。")] = "0s",
    bandwidth: Annotated[str, typer.Option(help="E.g. 64kbit/s; 0 is no limit. 带宽。")] = "0",
    drop: Annotated[str, typer.Option(help="Share of the pieces swallowed. 丢弃比例。")] = "0%",
    corrupt: Annotated[str, typer.Option(help="Share with one bit turned. 误码比例。")] = "0%",
    slice_: Annotated[str, typer.Option("--slice", help="Pieces no larger than this. 分片大小。")] = "0",
    pause: Annotated[str, typer.Option(help="Between two slices. 分片间隔。")] = "0s",
    reset_after: Annotated[str, typer.Option(help="Reset a connection after so many bytes. 复位。")] = "0",
    script: Annotated[Path | None, typer.Option(help="What changes when, YAML. 时间脚本。")] = None,
    control: Annotated[
        int | None, typer.Option(help="Take orders on this port of loopback. 控制端口。")
    ] = None,
    seed: Seed = None,
    for_: For = None,
    lang: Lang = None,
) -> None:
    """Put a bad network before any TCP server. 在任何 TCP 服务前制造坏网络。"""
    import yaml  # noqa: PLC0415

    from gateway.lab.control import controlled  # noqa: PLC0415
    from gateway.lab.proxy import Proxy  # noqa: PLC0415
    from gateway.lab.weather import Change, Weather  # noqa: PLC0415

    language = lang or default_language()
    target, number = address_of(to, language)
    try:
        weather = Weather().changed(
            latency=latency, jitter=jitter, bandwidth=bandwidth, drop=drop, corrupt=corrupt,
            slice=slice_, pause=pause, reset_after=reset_after,
        )  # fmt: skip
        told = yaml.safe_load(script.read_text(encoding="utf-8")) if script else []
        changes = [Change.model_validate(each) for each in told]
    except (OSError, ValueError, yaml.YAMLError) as exc:
        fail(say(language, "lab.wrong", reason=in_short(exc)))
    proxy = Proxy(target, number, listen=host, port=listen, weather=weather, script=changes, seed=seed or 0)

    async def serve() -> int:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(proxy)
            typer.echo(say(language, "lab.proxy", where=f"{host}:{proxy.port}", to=to))
            if control is not None:
                ordered = await stack.enter_async_context(controlled(proxy, control))
                typer.echo(say(language, "lab.control", port=ordered))
            await work_for(for_)
        return sum(proxy.octets.values())

    run(serve(), language, lambda count: say(language, "lab.passed", count=count))


@lab_app.command("tell")
def lab_tell(
    control: Annotated[int, typer.Argument(help="The control port of a running proxy. 控制端口。")],
    orders: Annotated[
        list[str] | None, typer.Argument(help="latency=200ms …, or cut, mend, reset, abandon. 指令。")
    ] = None,
    *,
    lang: Lang = None,
) -> None:
    """Change the network of a running proxy; print how it stands. 改变运行中的代理。"""
    from gateway.lab.control import tell  # noqa: PLC0415

    language = lang or default_language()
    given = [each.partition("=") for each in orders or ()]
    order: dict[str, Any] = {"set": {name: value for name, equals, value in given if equals}}
    if doing := [name for name, equals, _ in given if not equals]:
        order["do"] = doing[-1]
    try:
        answer = asyncio.run(tell(control, order))
    except OSError as exc:
        fail(say(language, "lab.wrong", reason=exc.strerror or exc))
    if "error" in answer:
        fail(say(language, "lab.wrong", reason=answer["error"]))
    print_json(answer)


@lab_app.command("faults")
def lab_faults(*, lang: Lang = None) -> None:
    """List what can go wrong, by equipment. 列出能模拟的故障。"""
    from gateway.lab import edge_nodes, mqtt, opcua  # noqa: PLC0415
    from gateway.lab.meters import replies as meters  # noqa: PLC0415
    from gateway.lab.modbus import replies  # noqa: PLC0415

    language = lang or default_language()
    kinds: dict[str, Iterable[str]] = {
        "modbus": replies.FAULTS,
        "opcua": opcua.FAULTS,
        "mqtt": mqtt.FAULTS,
        "meters": meters.FAULTS,
        "sparkplug": edge_nodes.FAULTS,
    }
    rows = [
        (
            ["dlt645, cjt188" if kind == "meters" else kind, name, say(language, f"lab.fault.{kind}.{name}")],
            True,
        )
        for kind, names in kinds.items()
        for name in names
    ]
    print_table([say(language, f"lab.{title}") for title in ("equipment", "fault", "meaning")], rows)


def _only(script: Script, points: Points) -> Script:
    """Let only the devices there are answer."""
    return lambda request: (script if request.unit in points else silent)(request)


def _listed(points: Points) -> str:
    return ", ".join(map(str, points))
