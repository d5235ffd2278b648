"""`wanglian factors`: which emission factors and coefficients there are, and where each comes from."""

from pathlib import Path
from typing import Annotated

import typer

from config.problems import default_language, quote
from config.reading.advice import near
from gateway.console import AsJson, Lang, fail, print_json, print_table, say


def factors(
    row: Annotated[
        str | None,
        typer.Argument(help="Explain this one, e.g. electricity/jiangsu/2022/average. 详细说明。"),
    ] = None,
    *,
    library: Annotated[
        Path | None, typer.Option(help="Your own rows too: the library's folder. 自有库目录。")
    ] = None,
    lang: Lang = None,
    as_json: AsJson = False,
) -> None:
    """List the emission factors and coefficients, or explain one. 列出排放因子和折标系数，或说明其中一个。"""
    from config.factors import Factors  # noqa: PLC0415  only this command reads the tables
    from gateway.factors import LIST_COLUMNS, cells, explanation, facts, summaries  # noqa: PLC0415

    language, known = lang or default_language(), Factors(library)
    for problem in known.problems:
        typer.echo(problem.render(language), err=True)
    if row is None:
        rows = summaries(known, language)
        if as_json:
            print_json(rows)
        else:
            titles = [say(language, f"factors.{column}") for column in LIST_COLUMNS]
            print_table(titles, [(cells(each, language), each["confidence"] != "low") for each in rows])
    else:
        found = known.find(row)
        if found is None:
            ids = tuple(each.row.id for each in known.listed())
            fail(say(language, "factors.none", row=quote(row), advice=near(row, ids)))
        if as_json:
            print_json(explanation(found, known, language))
        else:
            for key, text in facts(found, known, language):
                typer.echo(f"{say(language, f'factors.{key}')}: {text}")
    if known.problems:
        raise typer.Exit(2)
