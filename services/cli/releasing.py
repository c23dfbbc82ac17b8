"""The command that lets go of how somebody signed in."""
# ruff: noqa: PLC0415 # imported when a command runs, so that `--help` and the others start fast

from typing import Annotated

import typer

from services.cli.console import MISUSED, fail, out, run
from services.cli.operating import read_settings_or_fail
from services.settings import DEFAULT_WORKSPACE, Settings
from services.web.emails import NotAnAddress, email


def release(
    person: Annotated[str, typer.Argument(help="Of whom: an e-mail address.")],
    *,
    workspace: Annotated[str, typer.Option(help="In which workspace.")] = DEFAULT_WORKSPACE,
) -> None:
    """Sign somebody out everywhere, and let go of their passkeys and of accounts they connected.

    For a lost passkey, or an account whose address changed: they sign in anew, as the provider
    knows them then.
    """
    try:
        address = email(person)
    except NotAnAddress as error:
        fail(str(error), MISUSED)
    accounts, passkeys, grants = run(_release(read_settings_or_fail(), workspace, address))
    out.print(
        f"{address} is signed out. Let go: {accounts} account(s) at the identity provider, "
        f"{passkeys} passkey(s), {grants} connected account(s)."
    )


async def _release(settings: Settings, workspace: str, address: str) -> tuple[int, int, int]:
    from events.store.database import Database
    from services.grants.grants import Grants
    from services.identity.accounts import Accounts
    from services.identity.passkeys import Passkeys
    from services.web.kept_sessions import PostgresSessions

    database = await Database.open(settings.postgres_dsn, "placet_app", size=1)
    try:
        accounts = await Accounts(database, workspace).release(address)
        passkeys = await Passkeys(database, settings.public_url).remove_all_of(workspace, address)
        await PostgresSessions(database).end_all_of(workspace, address)
        grants = await Grants(database).remove_all_of(workspace, address)
        return accounts, passkeys, grants
    finally:
        await database.close()
