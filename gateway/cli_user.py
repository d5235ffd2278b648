"""`wanglian user`: who may sign in to the page, from the machine itself."""

from pathlib import Path
from typing import Annotated

import typer

from config.problems import Language
from gateway.cli_access import by_console, moment, opened, refusals
from gateway.console import AsJson, Lang, PlantFile, fail, print_json, print_table, say
from gateway.security import Role
from gateway.security.setup_code import new_code
from gateway.security.users import add_user, set_enabled, set_password, set_role, users

user_app = typer.Typer(no_args_is_help=True, help="Who may sign in to the page. 页面的用户。")

Name = Annotated[str, typer.Argument(help="The user's name. 用户名。")]
RoleOption = Annotated[Role, typer.Option(help="viewer, engineer, administrator, auditor. 角色。")]


@user_app.command("list")
def user_list(plant_file: PlantFile, *, lang: Lang = None, as_json: AsJson = False) -> None:
    """Show everybody, what each may do and when last seen. 列出用户、角色和上次登录。"""
    with opened(plant_file, lang) as (house, language):
        entries = [
            {
                "name": each.name,
                "role": each.role,
                "enabled": each.enabled,
                "password_set": moment(each.changed),
                "seen": moment(each.seen),
            }
            for each in users(house)
        ]
    if as_json:
        print_json(entries)
        return
    titles = ("name", "role", "enabled", "password_set", "seen")
    shown = [entry | {"enabled": say(language, f"user.enabled.{entry['enabled']}")} for entry in entries]
    rows = [([str(entry[title] or "") for title in titles], bool(entry["enabled"])) for entry in shown]
    print_table([say(language, f"user.{title}") for title in titles], rows)


@user_app.command("add")
def user_add(plant_file: PlantFile, name: Name, *, role: RoleOption, lang: Lang = None) -> None:
    """Add somebody; asks for a first password, or reads it from a pipe. 添加用户，密码从终端或管道读入。"""
    with opened(plant_file, lang) as (house, language), refusals(language):
        is_first = not house.has_users()
        # Who adds the first user on the console is that user; everybody else gets a word to be changed.
        add_user(house, name, role, _password(language), by_console(), must_change=not is_first)
        typer.echo(say(language, "user.added", name=name, role=role))


@user_app.command("role")
def user_role(
    plant_file: PlantFile, name: Name, role: Annotated[Role, typer.Argument()], *, lang: Lang = None
) -> None:
    """Give somebody another role; the sessions end. 更换角色，会话随即结束。"""
    with opened(plant_file, lang) as (house, language), refusals(language):
        set_role(house, name, role, by_console())
        typer.echo(say(language, "user.changed", name=name))


@user_app.command("disable")
def user_disable(plant_file: PlantFile, name: Name, *, lang: Lang = None) -> None:
    """Shut somebody out at once. 立即停用。"""
    _set_enabled(plant_file, name, lang, enabled=False)


@user_app.command("enable")
def user_enable(plant_file: PlantFile, name: Name, *, lang: Lang = None) -> None:
    """Let somebody in again. 重新启用。"""
    _set_enabled(plant_file, name, lang, enabled=True)


@user_app.command("password")
def user_password(plant_file: PlantFile, name: Name, *, lang: Lang = None) -> None:
    """Give somebody a new password, to be changed at the next sign-in. 重置密码，下次登录须更改。"""
    with opened(plant_file, lang) as (house, language), refusals(language):
        set_password(house, name, _password(language), by_console())
        typer.echo(say(language, "user.changed", name=name))


@user_app.command("setup-code")
def user_setup_code(plant_file: PlantFile, *, lang: Lang = None) -> None:
    """Print a one-time code to make the first user on the page. 打印一次性初始化码。"""
    with opened(plant_file, lang) as (house, language), refusals(language):
        if house.has_users():
            fail(say(language, "user.has_users"))
        typer.echo(say(language, "user.setup_code", code=new_code(house)))


def _set_enabled(plant_file: Path, name: str, lang: Language | None, *, enabled: bool) -> None:
    with opened(plant_file, lang) as (house, language), refusals(language):
        set_enabled(house, name, by_console(), enabled=enabled)
        typer.echo(say(language, "user.changed", name=name))


def _password(language: Language) -> str:
    """Return what is typed without showing it, twice; from a pipe its first line."""
    if typer.get_text_stream("stdin").isatty():
        asked = say(language, "user.password")
        return str(typer.prompt(asked, hide_input=True, confirmation_prompt=say(language, "user.again")))
    return typer.get_text_stream("stdin").readline().rstrip("\r\n")
