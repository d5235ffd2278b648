"""`wanglian lab opcua`: a simulated OPC UA server, open to anybody or with certificates that may be bad."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from config.problems import default_language
from gateway.cli_lab_options import FaultOption, For, Host, ScenarioOption, Seed, run, scenario_of, work_for
from gateway.console import Lang, fail, say


def lab_opcua(
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="TCP port. 端口。")] = 4840,
    variables: Annotated[int, typer.Option(min=1, help="How many variables. 变量数。")] = 10,
    host: Host = "127.0.0.1",
    certificates: Annotated[
        Path | None,
        typer.Option(
            help="Take protected connections only; keys lie in this folder. 只接受加密连接，密钥目录。"
        ),
    ] = None,
    fault: FaultOption = None,
    scenario: ScenarioOption = None,
    seed: Seed = None,
    for_: For = None,
    lang: Lang = None,
) -> None:
    """Simulate an OPC UA server. 模拟 OPC UA 服务器。"""
    from gateway.lab.opcua import FAULTS, Machine  # noqa: PLC0415
    from gateway.lab.opcua_certificates import FAULTS as CERTIFICATES  # noqa: PLC0415
    from gateway.lab.opcua_certificates import Certificates  # noqa: PLC0415

    # It warns that anybody may read, and says of a certificate that shall be wrong that it is.
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    language = lang or default_language()
    told = scenario_of(fault, scenario, FAULTS, seed, language)
    shown = None if certificates is None else Certificates(certificates, host)
    for each in told.faults:
        if each.fault in CERTIFICATES and shown is None:
            fail(say(language, "lab.no_certificates", fault=each.fault))
    machine = Machine(told, port=port, host=host, variables=variables, certificates=shown)

    async def serve() -> int:
        async with machine:
            typer.echo(say(language, "lab.opcua", where=machine.endpoint, count=variables))
            if shown is not None:
                typer.echo(say(language, "lab.trust", authority=shown.authority, revoked=shown.revoked))
            await work_for(for_, machine.run())
            return machine.tick

    run(serve(), language, lambda count: say(language, "lab.ticked", count=count))
