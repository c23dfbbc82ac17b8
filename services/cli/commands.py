"""Every command of `placet`, and what it is for."""

import typer

from services.cli import (
    approvals,
    asking,
    keys,
    lifecycle,
    mcp,
    operating,
    parked,
    people,
    policies,
    releasing,
    sources,
    waking,
    webhooks,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Placet: one approval queue for people, fed by business systems and by agents.\n\n"
    "`placet up` runs all of it here. The commands about approvals speak to PLACET_URL "
    "(http://127.0.0.1:8080) with the key in PLACET_KEY, or with that of `placet up`.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong use or settings, 4 not found, 5 refused, "
    "6 not reachable; of a wait: 10 rejected, 11 withdrawn, 12 expired, 13 the time is over.",
)

app.command()(operating.up)
app.command()(operating.run)
app.command()(operating.migrate)
app.command()(operating.rebuild)
app.command()(operating.verify)
app.command()(approvals.queue)
app.command()(approvals.show)
app.command()(asking.request)
app.command()(approvals.approve)
app.command()(approvals.deny)
app.command()(lifecycle.undo)
app.command("ask-back")(lifecycle.ask_back)
app.command()(lifecycle.answer)
app.command()(lifecycle.revise)
app.command()(lifecycle.reassign)
app.command()(lifecycle.remind)
app.command()(asking.wait)
app.command()(waking.wake)
app.add_typer(policies.app, name="policy")
app.command()(people.delegate)
app.add_typer(people.delegations, name="delegations")
app.add_typer(people.app, name="people")
app.add_typer(parked.app, name="parked")
app.add_typer(sources.app, name="source")
app.add_typer(keys.app, name="key")
app.command()(releasing.release)
app.add_typer(webhooks.app, name="webhooks")
app.command()(mcp.mcp)
