"""Commands about API keys."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.console import MISUSED, NOT_FOUND, fail, out, print_json, run
from services.cli.operating import read_settings_or_fail
from services.settings import DEFAULT_WORKSPACE, Settings
from services.web.emails import NotAnAddress, email
from services.web.scopes import SCOPES, Scope

if TYPE_CHECKING:
    from services.web.keys import NewKey

app = typer.Typer(no_args_is_help=True, help="Make and end API keys.")

Workspace = Annotated[str, typer.Option(help="Which workspace it opens.")]


@app.command()
def create(
    principal: Annotated[str, typer.Argument(help="For whom: an e-mail address.")],
    *,
    scope: Annotated[list[str], typer.Option(help=f"What it may, repeatable: {', '.join(SCOPES)}")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    workspace: Workspace = DEFAULT_WORKSPACE,
    days: Annotated[
        int | None, typer.Option(min=1, max=3660, help="Ends after so many days.")
    ] = None,
    agent: Annotated[
        bool, typer.Option("--agent", help="For a program that acts by itself: it never decides.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Make a key and print it: the only time that it can be seen."""
    from services.web.keys import DECIDING

    known: list[Scope] = [one for one in SCOPES if one in scope]
    unknown = set(scope) - set(SCOPES)
    if unknown:
        fail(f"{', '.join(sorted(unknown))}: no such scope; there are {', '.join(SCOPES)}", MISUSED)
    try:
        address = email(principal)
    except NotAnAddress as error:
        fail(str(error), MISUSED)
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    if agent and not DECIDING.isdisjoint(known):
        names = ", ".join(sorted(DECIDING))
        fail(f"An agent's key never decides: leave out {names}.", MISUSED)
    settings = read_settings_or_fail()
    key = run(_create(settings, workspace, address, name, known, expires_at, agent=agent))
    if as_json:
        print_json({"key_id": key.key_id, "key": key.text})
    else:
        out.print(key.text, soft_wrap=True)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The middle part of the key.")],
    *,
    workspace: Workspace = DEFAULT_WORKSPACE,
) -> None:
    """End a key; it may still open for ten seconds."""
    if not run(_revoke(read_settings_or_fail(), workspace, key_id)):
        fail(f"There is no open key {key_id} in workspace {workspace}.", NOT_FOUND)
    out.print(f"{key_id} is revoked.")


async def _create(
    settings: Settings,
    workspace: str,
    principal: str,
    name: str,
    scopes: list[Scope],
    expires_at: datetime | None,
    *,
    agent: bool,
) -> "NewKey":
    from events.store.database import Database
    from services.web.keys import Keys

    database = await Database.open(settings.postgres_dsn, "placet_app", size=1)
    try:
        return await Keys(database, None).create(
            workspace,
            principal=principal,
            name=name,
            scopes=scopes,
            expires_at=expires_at,
            agent=agent,
        )
    finally:
        await database.close()


async def _revoke(settings: Settings, workspace: str, key_id: str) -> bool:
    from events.store.database import Database
    from services.web.keys import Keys

    database = await Database.open(settings.postgres_dsn, "placet_app", size=1)
    try:
        return await Keys(database, None).revoke(workspace, key_id)
    finally:
        await database.close()
