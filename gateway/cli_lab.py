"""`wanglian lab`: simulated equipment and a proxy that go wrong by script, to try a plant file against."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from config.problems import Language, default_language
from gateway.cli_lab_points import Points, of_plant, of_template
from gateway.console import Lang, fail, load, print_json, print_table, say, stop_on_signal
from gateway.lab import amounts
from gateway.lab.modbus.replies import Script, silent
from gateway.lab.scenario import Fault, Scenario

lab_app = typer.Typer(no_args_is_help=True, help="Equipment that goes wrong, to try with. 故障试验台。")

FaultOption = Annotated[
    list[str] | None,
    typer.Option("--fault", help="kind[=value][@when][/unit], e.g. late_reply=1.3s@10%/2. 故障。"),
]
ScenarioOption = Annotated[
    Path | None, typer.Option("--scenario", help="Faults from a YAML file. 故障脚本。")
]
Seed = Annotated[int, typer.Option(help="The same seed draws the same faults. 随机种子。")]
For = Annotated[str | None, typer.Option("--for", help="End after so long. 运行多久后结束。")]
Host = Annotated[str, typer.Option(help="Address to listen on. 监听地址。")]


@lab_app.command("modbus")
def lab_modbus(
    plant_file: Annotated[
        Path | None,
        typer.Argument(help="Serve the devices of this plant file. 工厂配置文件。", metavar="[PLANT]"),
    ] = None,
    *,
    source: Annotated[str | None, typer.Option(help="Which source of the plant. 采集源。")] = None,
    template: Annotated[str | None, typer.Option(help="Serve this template. 设备模板。")] = None,
    units: Annotated[int, typer.Option(min=1, max=247, help="Of a template: unit ids 1 to this. 台数。")] = 1,
    port: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 is any. 端口。")] = 5020,
    host: Host = "127.0.0.1",
    serial: Annotated[
        Path | None, typer.Option(help="RTU on a pseudo-terminal of this name instead. 虚拟串口。")
    ] = None,
    connections: Annotated[int, typer.Option(min=1, help="Most connections it takes. 最多连接数。")] = 1000,
    fault: FaultOption = None,
    scenario: ScenarioOption = None,
    seed: Seed = 0,
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
    script = _only(replies.scripted(_scenario(fault, scenario, replies.FAULTS, seed, language)), points)

    async def serve() -> int:
        if serial is not None:
            from gateway.lab.modbus.line import SerialEquipment  # noqa: PLC0415  not on Windows

            async with SerialEquipment(serial, script, memory=meter, keep=False) as line:
                typer.echo(say(language, "lab.line", where=serial, units=_listed(points)))
                await _for(for_)
                return line.count
        equipment = TcpEquipment(script, host, port, meter, connections, keep=False)
        async with equipment:
            typer.echo(say(language, "lab.modbus", where=f"{host}:{equipment.port}", units=_listed(points)))
            await _for(for_)
            return equipment.count

    _run(serve(), language, lambda count: say(language, "lab.asked", count=count))


@lab_app.command("opcua")
def lab_opcua(
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port. 端口。")] = 4840,
    variables: Annotated[int, typer.Option(min=1, help="How many variables. 变量数。")] = 10,
    host: Host = "127.0.0.1",
    fault: FaultOption = None,
    scenario: ScenarioOption = None,
    seed: Seed = 0,
    for_: For = None,
    lang: Lang = None,
) -> None:
    """Simulate an OPC UA server. 模拟 OPC UA 服务器。"""
    from gateway.lab.opcua import FAULTS, Machine  # noqa: PLC0415

    logging.getLogger("asyncua").setLevel(logging.ERROR)  # it warns that anybody may read, as is meant
    language = lang or default_language()
    machine = Machine(
        _scenario(fault, scenario, FAULTS, seed, language), port=port, host=host, variables=variables
    )

    async def serve() -> int:
        async with machine:
            typer.echo(say(language, "lab.opcua", where=machine.endpoint, count=variables))
            await _for(for_, machine.run())
            return machine.tick

    _run(serve(), language, lambda count: say(language, "lab.ticked", count=count))


@lab_app.command("mqtt")
def lab_mqtt(
    to: Annotated[str, typer.Option(help="The broker, host:port. 消息服务器。")] = "127.0.0.1:1883",
    *,
    topic: Annotated[str, typer.Option(help="Topics begin with this. 主题前缀。")] = "sensors",
    sensors: Annotated[int, typer.Option(min=1, help="How many sensors. 传感器数。")] = 5,
    rate: Annotated[float, typer.Option(min=0.01, help="Messages a second. 每秒消息数。")] = 1.0,
    fault: FaultOption = None,
    scenario: ScenarioOption = None,
    seed: Seed = 0,
    for_: For = None,
    lang: Lang = None,
) -> None:
    """Simulate sensors that publish on a broker. 模拟发布消息的传感器。"""
    from gateway.lab.mqtt import FAULTS, Sensors, publish  # noqa: PLC0415

    language = lang or default_language()
    host, port = _address(to, language)
    speaking = Sensors(_scenario(fault, scenario, FAULTS, seed, language), topic=topic, sensors=sensors)

    async def serve() -> int:
        typer.echo(say(language, "lab.mqtt", where=to, topic=f"{topic}/+/data"))
        await _for(for_, publish(speaking, host, port, rate))
        return speaking.said

    _run(serve(), language, lambda count: say(language, "lab.said", count=count))


@lab_app.command("proxy")
def lab_proxy(
    to: Annotated[str, typer.Option(help="Where to pass everything, host:port. 目标。")],
    *,
    listen: Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 is any. 端口。")] = 0,
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
    seed: Seed = 0,
    for_: For = None,
    lang: Lang = None,
) -> None:
    """Put a bad network before any TCP server. 在任何 TCP 服务前制造坏网络。"""
    import yaml  # noqa: PLC0415

    from gateway.lab.control import controlled  # noqa: PLC0415
    from gateway.lab.proxy import Proxy  # noqa: PLC0415
    from gateway.lab.weather import Change, Weather  # noqa: PLC0415

    language = lang or default_language()
    target, number = _address(to, language)
    try:
        weather = Weather().changed(
            latency=latency, jitter=jitter, bandwidth=bandwidth, drop=drop, corrupt=corrupt,
            slice=slice_, pause=pause, reset_after=reset_after,
        )  # fmt: skip
        told = yaml.safe_load(script.read_text(encoding="utf-8")) if script else []
        changes = [Change.model_validate(each) for each in told]
    except (OSError, ValueError, yaml.YAMLError) as exc:
        fail(say(language, "lab.wrong", reason=_short(exc)))
    proxy = Proxy(target, number, listen=host, port=listen, weather=weather, script=changes, seed=seed)

    async def serve() -> int:
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(proxy)
            typer.echo(say(language, "lab.proxy", where=f"{host}:{proxy.port}", to=to))
            if control is not None:
                ordered = await stack.enter_async_context(controlled(proxy, control))
                typer.echo(say(language, "lab.control", port=ordered))
            await _for(for_)
        return sum(proxy.octets.values())

    _run(serve(), language, lambda count: say(language, "lab.passed", count=count))


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
    from gateway.lab import mqtt, opcua  # noqa: PLC0415
    from gateway.lab.modbus import replies  # noqa: PLC0415

    language = lang or default_language()
    kinds: dict[str, Iterable[str]] = {"modbus": replies.FAULTS, "opcua": opcua.FAULTS, "mqtt": mqtt.FAULTS}
    rows = [
        ([kind, name, say(language, f"lab.fault.{kind}.{name}")], True)
        for kind, names in kinds.items()
        for name in names
    ]
    print_table([say(language, f"lab.{title}") for title in ("equipment", "fault", "meaning")], rows)


def _scenario(
    faults: list[str] | None, file: Path | None, known: Iterable[str], seed: int, language: Language
) -> Scenario:
    try:
        if file is not None:
            return Scenario.load(file, known)
        return Scenario.of(map(Fault.read, faults or ()), known, seed)
    except (OSError, ValueError) as exc:
        fail(say(language, "lab.wrong", reason=_short(exc)))


def _short(exc: Exception) -> str:
    """Return what is wrong in one line; pydantic tells more than that."""
    errors = getattr(exc, "errors", None)
    return "; ".join(each["msg"].removeprefix("Value error, ") for each in errors()) if errors else str(exc)


def _only(script: Script, points: Points) -> Script:
    """Let only the devices there are answer."""
    return lambda request: (script if request.unit in points else silent)(request)


def _listed(points: Points) -> str:
    return ", ".join(map(str, points))


def _address(text: str, language: Language) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        fail(say(language, "lab.address", address=text))
    return host.strip("[]"), int(port)


async def _for(how_long: str | None, work: Coroutine[Any, Any, None] | None = None) -> None:
    """Let it work for so long, or until the command is ended."""
    stop = asyncio.Event()
    stop_on_signal(stop)
    ending = asyncio.create_task(stop.wait())
    working = {ending} if work is None else {ending, asyncio.create_task(work)}
    done, waiting = await asyncio.wait(
        working,
        timeout=None if how_long is None else amounts.seconds(how_long),
        return_when=asyncio.FIRST_COMPLETED,
    )
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for task in done:
        task.result()


def _run(serve: Coroutine[Any, Any, int], language: Language, result: Callable[[int], str]) -> None:
    """Serve until the end, then say what came of it."""
    try:
        typer.echo(result(asyncio.run(serve)))
    except (OSError, ValueError) as exc:
        fail(say(language, "lab.wrong", reason=exc))
