"""What the commands of the lab share: the faults they are told, how long they last, how they end."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from config.problems import Language
from gateway.console import fail, say, stop_on_signal
from gateway.lab import amounts
from gateway.lab.scenario import Fault, Known, Scenario

FaultOption = Annotated[
    list[str] | None,
    typer.Option("--fault", help="kind[=value]\\[@when]\\[/unit], e.g. late_reply=1.3s@10%/2. 故障。"),
]
ScenarioOption = Annotated[
    Path | None, typer.Option("--scenario", help="Faults from a YAML file. 故障脚本。")
]
Seed = Annotated[
    int | None,
    typer.Option(help="The same seed draws the same faults; 0, or the scenario's, when absent. 随机种子。"),
]
For = Annotated[str | None, typer.Option("--for", help="End after so long. 运行多久后结束。")]
Host = Annotated[str, typer.Option(help="Address to listen on. 监听地址。")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="TCP port; 0 is any. 端口。")]
Connections = Annotated[int, typer.Option(min=1, help="Most connections it takes. 最多连接数。")]
PlantArgument = Annotated[
    Path | None,
    typer.Argument(help="Serve the equipment of this plant file. 工厂配置文件。", metavar="[PLANT]"),
]
SourceOption = Annotated[str | None, typer.Option("--source", help="Which source of the plant. 采集源。")]
Serial = Annotated[
    Path | None, typer.Option("--serial", help="On a pseudo-terminal of this name instead. 虚拟串口。")
]


def scenario_of(
    faults: list[str] | None, file: Path | None, known: Known, seed: int | None, language: Language
) -> Scenario:
    """Return what shall go wrong; say why it can't be told, and end."""
    try:
        if file is not None:
            return Scenario.load(file, known, seed)
        return Scenario.of(map(Fault.read, faults or ()), known, seed or 0)
    except (OSError, ValueError) as exc:
        fail(say(language, "lab.wrong", reason=in_short(exc)))


def in_short(exc: Exception) -> str:
    """Return what is wrong in one line; pydantic tells more than that."""
    if not isinstance(exc, ValidationError):
        return str(exc)
    told = (
        (".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, ")) for each in exc.errors()
    )
    return "; ".join(f"{place}: {said}" if place else said for place, said in told)


def address_of(text: str, language: Language) -> tuple[str, int]:
    """Return host and port; say what is wrong with them, and end."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal():
        fail(say(language, "lab.address", address=text))
    return host.strip("[]"), int(port)


async def work_for(how_long: str | None, work: Coroutine[Any, Any, None] | None = None) -> None:
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


def run(serve: Coroutine[Any, Any, int], language: Language, result: Callable[[int], str]) -> None:
    """Serve until the end, then say what came of it."""
    try:
        typer.echo(result(asyncio.run(serve)))
    except (OSError, ValueError) as exc:
        fail(say(language, "lab.wrong", reason=exc))
