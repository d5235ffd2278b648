"""`wanglian certificates`: which OPC UA servers were met, and whom a person trusts."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from config.problems import Language
from gateway.cli_access import note
from gateway.console import AsJson, Lang, PlantFile, data_dir, fail, load, print_json, print_table, say
from gateway.security.audit import Act

certificates_app = typer.Typer(
    no_args_is_help=True, help="Which OPC UA servers are trusted, and our own. 服务器证书和自己的证书。"
)

Thumbprint = Annotated[str, typer.Argument(help="Beginning of the thumbprint. 指纹的开头几位。")]


@certificates_app.command("list")
def certificates_list(plant_file: PlantFile, *, lang: Lang = None, as_json: AsJson = False) -> None:
    """Show the certificates servers have shown. 查看服务器出示过的证书。"""
    from connectors.factory import trusted_servers  # noqa: PLC0415  imports an OPC UA stack

    plant, language = load(plant_file, lang)
    entries = [
        {
            "folder": entry.folder,
            "thumbprint": entry.thumbprint,
            "name": entry.name,
            "valid_until": f"{entry.valid_until:%Y-%m-%d}",
        }
        for entry in trusted_servers(data_dir(plant_file, plant)).entries()
    ]
    if as_json:
        print_json(entries)
        return
    titles = ("folder", "thumbprint", "name", "valid_until")
    rows = [([entry[title] for title in titles], entry["folder"] == "trusted") for entry in entries]
    print_table([say(language, f"certificates.{title}") for title in titles], rows)


@certificates_app.command("trust")
def certificates_trust(plant_file: PlantFile, thumbprint: Thumbprint, *, lang: Lang = None) -> None:
    """Trust a server; compare the whole thumbprint first. 信任一台服务器，先核对完整指纹。"""
    _move_certificate(plant_file, thumbprint, "trusted", lang)


@certificates_app.command("reject")
def certificates_reject(plant_file: PlantFile, thumbprint: Thumbprint, *, lang: Lang = None) -> None:
    """Trust a server no longer, from its next connection on. 不再信任，从下次连接起。"""
    _move_certificate(plant_file, thumbprint, "rejected", lang)


@certificates_app.command("renew")
def certificates_renew(plant_file: PlantFile, *, lang: Lang = None) -> None:
    """Make the gateway's own OPC UA certificate anew; servers must trust it again. 更新网关自己的证书。"""
    from connectors.factory import trusted_servers  # noqa: PLC0415  imports an OPC UA stack

    plant, language = load(plant_file, lang)
    servers = trusted_servers(data_dir(plant_file, plant))
    before = servers.shown()
    if before is None:
        fail(say(language, "certificates.nothing"))
    note(data_dir(plant_file, plant), language, "certificate.renewed", which="own", before=before.thumbprint)
    try:
        made = servers.renew()
    except OSError as exc:
        fail(say(language, "certificates.unwritable", reason=exc))
    if made is not None:
        ends = f"{made.ends:%Y-%m-%d}"
        typer.echo(
            say(language, "certificates.renewed", name=made.name, thumbprint=made.thumbprint, ends=ends)
        )


def _move_certificate(
    plant_file: Path, prefix: str, to: Literal["trusted", "rejected"], lang: Language | None
) -> None:
    from connectors.factory import trusted_servers  # noqa: PLC0415  imports an OPC UA stack

    plant, language = load(plant_file, lang)
    what: Act = "certificate.trusted" if to == "trusted" else "certificate.rejected"
    note(data_dir(plant_file, plant), language, what, thumbprint=prefix)
    servers = trusted_servers(data_dir(plant_file, plant))
    found = servers.move(prefix, to)
    if not found:
        there = [entry for entry in servers.entries() if entry.begins_with(prefix)]
        if len(there) == 1:
            name, thumbprint = there[0].name, there[0].thumbprint
            typer.echo(say(language, f"certificates.already_{to}", name=name, thumbprint=thumbprint))
            return
        fail(say(language, "certificates.none", prefix=prefix))
    if len(found) > 1:
        fail(say(language, "certificates.not_one", prefix=prefix, count=len(found)))
    typer.echo(say(language, f"certificates.{to}", name=found[0].name, thumbprint=found[0].thumbprint))
