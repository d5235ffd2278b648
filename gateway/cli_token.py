"""`wanglian token`: what programs show to be let in."""

from typing import Annotated

import typer

from gateway.cli_access import by_console, moment, opened, refusals
from gateway.console import AsJson, Lang, PlantFile, print_json, print_table, say
from gateway.security.tokens import DAYS, add_token, remove_token, tokens

token_app = typer.Typer(no_args_is_help=True, help="Tokens for programs. 程序用的令牌。")

Name = Annotated[str, typer.Argument(help="What it is called. 令牌的名字。")]


@token_app.command("list")
def token_list(plant_file: PlantFile, *, lang: Lang = None, as_json: AsJson = False) -> None:
    """Show what each is for, until when, and when last used. 列出用途、期限和上次使用。"""
    with opened(plant_file, lang) as (house, language):
        now = house.now()
        entries = [
            {
                "name": each.name,
                "scopes": [scope.value for scope in each.scopes],
                "made_by": each.made_by,
                "expires": moment(each.expires),
                "used": moment(each.used),
                "is_over": each.expires <= now,
            }
            for each in tokens(house)
        ]
    if as_json:
        print_json(entries)
        return
    titles = ("name", "scopes", "made_by", "expires", "used")
    shown = [entry | {"scopes": " ".join(entry["scopes"])} for entry in entries]  # type: ignore[arg-type]
    rows = [([str(entry[title] or "") for title in titles], not entry["is_over"]) for entry in shown]
    print_table([say(language, f"token.{title}") for title in titles], rows)


@token_app.command("add")
def token_add(
    plant_file: PlantFile,
    name: Name,
    *,
    scope: Annotated[list[str], typer.Option(help="read, stream, config; again for more. 用途，可重复。")],
    days: Annotated[int, typer.Option(help="How long it lasts. 有效天数。")] = DAYS,
    lang: Lang = None,
) -> None:
    """Make a token and print it: it is shown once and kept nowhere. 新建令牌，只显示这一次。"""
    with opened(plant_file, lang) as (house, language), refusals(language):
        secret = add_token(house, name, scope, by_console(), days)
        typer.echo(say(language, "token.added", name=name), err=True)
        typer.echo(secret)


@token_app.command("remove")
def token_remove(plant_file: PlantFile, name: Name, *, lang: Lang = None) -> None:
    """Make a token worthless at once. 立即作废。"""
    with opened(plant_file, lang) as (house, language), refusals(language):
        remove_token(house, name, by_console())
        typer.echo(say(language, "token.removed", name=name))
