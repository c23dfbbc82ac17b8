"""Commands about policies: which there are, whether a file is right, what it would change."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.client import call
from services.cli.console import MISUSED, err, fail, out, plain, print_json
from services.cli.console import run as run_async
from services.cli.operating import progress_bar
from services.settings import DEFAULT_WORKSPACE, HalfConfigured, home

if TYPE_CHECKING:
    from services.config import Config
    from services.policies import Policy
    from services.policies.replaying import Ending
    from services.policies.simulating import Difference, Simulation, Told

app = typer.Typer(no_args_is_help=True, help="Who must say yes to what.")

File = Annotated[Path, typer.Argument(help="The policy's file.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", help="The placet.yaml with the people and the other policies [PLACET_CONFIG]."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="For scripts.")]

SAYS = {
    "same": "as it was",
    "sooner": "the same outcome, sooner",
    "later": "the same outcome, later",
    "other": "another outcome",
    "waits": "would still wait",
    "ends": "waits now, and would have ended",
}
MOST_SHIFTS = 10


@app.command("list")
def listed(*, as_json: Json = False) -> None:
    """List the policies that are in force; the first one that applies is taken."""
    page = call("GET", "/v1/policies")
    if as_json:
        print_json(page)
        return
    from rich.table import Table

    table = Table("name", "version", "applies to", "steps")
    for one in page["data"]:
        table.add_row(
            plain(one["name"]),
            str(one["version"]),
            plain(_applies_to(one["applies_to"])),
            plain("\n".join(_steps(one))),
        )
    out.print(table)
    out.print(f"{len(page['data'])} policies.")


@app.command()
def check(file: File, *, config: ConfigFile = None, as_json: Json = False) -> None:
    """Check a policy's file, and say every fault with its line."""
    policy = _policy(file, _config(config))
    if as_json:
        print_json({"name": policy.name, "version": policy.version, "steps": len(policy.steps)})
        return
    out.print(f"{policy.name}, version {policy.version}: {plain(policy.applies_to.words)}.")
    for number, step in enumerate(policy.steps, start=1):
        people = ", ".join(spec.text for spec in step.approvers)
        when = f", when {step.when.text}" if step.when else ""
        out.print(plain(f"  {number}. {step.name}: {step.rule_words} of {people}{when}"))
    out.print("It can be used.")


@app.command()
def simulate(
    file: File,
    *,
    since: Annotated[str, typer.Option(help="How far to look back: 90d, or 36h.")] = "90d",
    workspace: Annotated[str, typer.Option(help="Whose requests.")] = DEFAULT_WORKSPACE,
    limit: Annotated[int, typer.Option(min=0, max=1000, help="How many to list.")] = 20,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Replay stored requests through a changed policy, and tell what would have been different.

    Nothing is changed. It reads the events of PLACET_POSTGRES_DSN, or of the `placet up` that runs
    on PLACET_DATA_DIR, and takes people as they are today.
    """
    settled = _config(config)
    policy = _policy(file, settled)
    begin = _since(since)
    with progress_bar() as progress:
        task = progress.add_task("requests", total=None)
        found = run_async(
            _simulate(
                policy,
                settled,
                workspace,
                begin,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
        )
    if as_json:
        print_json(_as_json(found, begin))
    else:
        _show(found, begin, limit)


async def _simulate(
    policy: "Policy", config: "Config", workspace: str, begin: datetime, told: "Told"
) -> "Simulation":
    from events.store.database import Database
    from services.directory.postgres import PostgresDirectories
    from services.policies.past import Past
    from services.policies.simulating import Simulator

    # Only reading, and as a role that sees the workspace that it names and no other.
    database = await Database.open(_dsn(), "placet_app", size=2)
    try:
        worker = await Database.open(_dsn(), "placet_worker", size=1)
        try:
            people = PostgresDirectories(
                worker,
                lambda: datetime.now(UTC),
                workspace=config.types.workspace,
                file=config.directory,
            )
            directory = await people.fresh(workspace)
        finally:
            await worker.close()
        simulator = Simulator(config.policies.within(workspace), policy, directory)
        return await simulator.run(Past(database, workspace, begin), told)
    finally:
        await database.close()


def _dsn() -> str:
    from services.embedded.postgres import running_dsn

    found = os.environ.get("PLACET_POSTGRES_DSN") or running_dsn(home(os.environ) / "postgres")
    if not found:
        fail(
            "There is no database to read: set PLACET_POSTGRES_DSN, or run `placet up` on this "
            "data directory meanwhile.",
            MISUSED,
        )
    return found


def _config(given: Path | None) -> "Config":
    from services.config import read_config
    from services.up import demo

    environ = dict(os.environ)
    named = environ.get("PLACET_CONFIG")
    path = given or (Path(named) if named else None)
    if path is None and "PLACET_POSTGRES_DSN" not in environ and demo.is_there():
        # As `placet up` does.
        path = demo.CONFIG
        environ.setdefault("ACME_EXPENSES_URL", demo.url_at(1))  # nobody calls it here
    try:
        return read_config(path, environ)
    except HalfConfigured as error:
        for line in error.errors:
            err.print(f"[red]{plain(line)}[/red]", soft_wrap=True)
        fail(f"{path} cannot be used until this is put right.", MISUSED)


def _policy(file: Path, config: "Config") -> "Policy":
    from services.policies import load_policy
    from services.yaml_files.faults import FileInvalid

    try:
        return load_policy(file, config.directory)
    except FileInvalid as error:
        for line in error.errors:
            err.print(f"[red]{plain(line)}[/red]", soft_wrap=True)
        fail(f"{file} cannot be used until this is put right.", MISUSED)


def _since(text: str) -> datetime:
    from services.yaml_files.durations import seconds

    try:
        return datetime.now(UTC) - timedelta(seconds=seconds(text))
    except (ValueError, OverflowError) as error:
        fail(f"--since: {error}", MISUSED)


def _show(found: "Simulation", begin: datetime, limit: int) -> None:
    from rich.table import Table

    out.print(
        f"{found.seen} requests since {begin:%Y-%m-%d}; the policy {plain(found.policy)} "
        f"(version {found.version}) is for {found.touched} of them."
    )
    if not found.touched:
        return
    for kind, says in SAYS.items():
        if found.kinds[kind]:  # type: ignore[index] # the keys are the kinds
            out.print(f"  {found.kinds[kind]:>7}  {says}")  # type: ignore[index] # same
    if found.at_once:
        out.print(f"{found.at_once} would have been decided at once, by nobody.")
    if found.median_gain_s is not None:
        out.print(f"Half of those with another time would have ended {_gain(found.median_gain_s)}.")
    if found.warned:
        out.print(f"{found.warned} would have had a warning, such as a condition that failed.")
    shifts = found.shifts()[:MOST_SHIFTS]
    if shifts:
        table = Table("who", "was asked", "would be", title="Who is asked")
        for who, before, after in shifts:
            table.add_row(plain(who), str(before), str(after))
        out.print(table)
    if found.differences and limit:
        differing = found.touched - found.kinds["same"]
        _show_differences(found.differences[:limit], differing)


def _show_differences(shown: "list[Difference]", total: int) -> None:
    from rich.table import Column, Table

    request = Column("request", overflow="fold")
    table = Table(request, "asked", "was", "would be", "", title="What would differ")
    for one in shown:
        table.add_row(
            f"{one.approval_id}\n{plain(one.title)}",
            f"{one.asked_at:%Y-%m-%d %H:%M}",
            plain(_ending(one.really)),
            plain("\n".join((_ending(one.would), *one.warnings))),
            _gain(one.sooner_s) if one.sooner_s is not None else SAYS[one.kind],
        )
    out.print(table)
    if total > len(shown):
        out.print(f"{total - len(shown)} more: see --limit, or --json.")


def _ending(ending: "Ending") -> str:
    by = f" by {', '.join(ending.by)}" if ending.by else ""
    words = f": {ending.words}" if ending.words else ""
    return f"{ending.status}{by}{words}"


def _gain(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if abs(seconds) >= length:
            return f"{abs(seconds) / length:.1f} {unit} {'sooner' if seconds > 0 else 'later'}"
    return f"{abs(seconds):.0f} s {'sooner' if seconds > 0 else 'later'}"


def _as_json(found: "Simulation", begin: datetime) -> dict[str, Any]:
    return {
        "policy": found.policy,
        "version": found.version,
        "since": begin,
        "seen": found.seen,
        "touched": found.touched,
        "kinds": {kind: found.kinds[kind] for kind in SAYS},  # type: ignore[index] # same
        "at_once": found.at_once,
        "warned": found.warned,
        "median_gain_seconds": found.median_gain_s,
        "people": [
            {"email": who, "was_asked": before, "would_be_asked": after}
            for who, before, after in found.shifts()
        ],
        "differences": found.differences,
    }


def _applies_to(ask: dict[str, Any]) -> str:
    """Return which asks a policy is for."""
    parts = [
        ", ".join(ask["types"]),
        f"from {', '.join(ask['sources'])}" if ask["sources"] else "",
        f"when {ask['when']}" if ask["when"] else "",
    ]
    return " ".join(part for part in parts if part) or "everything"


def _steps(policy: dict[str, Any]) -> Iterator[str]:
    """Yield what a policy does, line by line."""
    for outcome in ("approve", "reject"):
        if policy.get(f"{outcome}_when"):
            yield f"{outcome} when {policy[f'{outcome}_when']}"
    for number, step in enumerate(policy["steps"], start=1):
        when = f" when {step['when']}" if step.get("when") else ""
        yield f"{number}. {step['name']}: {step['rule']} of {', '.join(step['approvers'])}{when}"
    if policy.get("assurance"):
        yield f"assurance: {policy['assurance']}"
