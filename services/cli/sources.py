"""Commands about systems of record."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.console import FAILED, MISUSED, err, fail, out, plain, print_json, run
from services.settings import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from services.sources.definition import SourceDefinition
    from services.sources.trial_report import TrialReport

app = typer.Typer(no_args_is_help=True, help="Systems of record that are mirrored.")


@app.callback()
def _group() -> None:
    """Keep `test` a command of its own, although it is the only one."""


@app.command("test")
def try_file(
    file: Annotated[Path, typer.Argument(help="The source file.")],
    *,
    pages: Annotated[int, typer.Option(min=1, max=100, help="How many pages to read.")] = 1,
    sample: Annotated[
        Path | None, typer.Option(help="A saved listing (JSON) to map, asking nobody.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Try a source file against the live system, only reading, and say what is wrong with it."""
    from services.sources.loading import load_source
    from services.sources.trial_view import as_json as report_as_json
    from services.sources.trial_view import render
    from services.yaml_files.faults import FileInvalid

    try:
        definition = load_source(file, DEFAULT_WORKSPACE, os.environ)
    except FileInvalid as error:
        for line in error.errors:
            err.print(f"[red]{plain(line)}[/red]", soft_wrap=True)
        fail(f"{file} cannot be used until this is put right.", MISUSED)
    report = _try_sample(definition, sample) if sample else run(_try(definition, pages))
    if as_json:
        print_json(report_as_json(report))
    else:
        render(report, out)
    if not report.passed:
        raise SystemExit(FAILED)


async def _try(definition: "SourceDefinition", pages: int) -> "TrialReport":
    import httpx2

    from services.sources.trial import try_source

    async with httpx2.AsyncClient() as client:
        return await try_source(definition, client, pages=pages)


def _try_sample(definition: "SourceDefinition", sample: Path) -> "TrialReport":
    from services.sources.trial import try_sample

    try:
        body = json.loads(sample.read_text("utf-8"))
    except (OSError, ValueError) as error:
        fail(f"{sample} cannot be read as JSON: {error}", MISUSED)
    return try_sample(definition, body)
