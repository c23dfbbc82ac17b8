"""The one way to change an approval: read, fold, decide, append; and again on conflict."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from events.approval import ApprovalEvent
from events.commands import Command, SupersedeApproval
from events.decider import decide
from events.state import State, fold
from events.store import Append, Claim, EventStore, VersionConflict

TRIES = 5
"""How often a decision is taken anew because somebody else was faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What a command led to: the state after it, all facts, and those that it added, if any."""

    approval_id: str
    state: State
    facts: tuple[ApprovalEvent, ...]
    added: tuple[ApprovalEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A command for one approval; `command_id` is the same each time the order is repeated.

    `once`: nothing is done where a fact of the approval came of this very order already, whatever
    became of it since.
    """

    approval_id: str
    command: Command
    command_id: str
    claims: tuple[Claim, ...] = ()
    once: bool = False


Made = Callable[[State, Sequence[ApprovalEvent]], Awaitable[Order | None]]
"""Makes an order from an approval's state and its facts so far; None where nothing is to do."""
MadeAtOnce = Callable[[State], Order | None]
"""The same from the state alone, without waiting for anything."""


async def handle(store: EventStore, workspace: str, order: Order) -> Handled:
    """Carry out one command; what it decided is durable when this returns.

    Raises `Refused` when it may not be, `ClaimTaken` when its key names another approval,
    `VersionConflict` when others were faster `TRIES` times, `Unavailable` when the store is away.
    """

    async def the_same(_state: State, _facts: Sequence[ApprovalEvent]) -> Order:
        return order

    return await handle_made(store, workspace, order.approval_id, the_same)


async def handle_made(store: EventStore, workspace: str, approval_id: str, made: Made) -> Handled:
    """Carry out a command that is made from what it meets, anew each time somebody was faster.

    Raises as `handle` does, and what `made` raises.
    """
    for attempt in range(1, TRIES + 1):
        stream = (await store.read(workspace, [approval_id]))[approval_id]
        before = [recorded.event for recorded in stream]
        state = fold(before)
        order = await made(state, before)
        if order is not None and order.once:
            done = any(recorded.command_id == order.command_id for recorded in stream)
            order = None if done else order
        added = decide(order.command, state) if order is not None else []
        handled = _handled(approval_id, state, before, added)
        if order is None or not added:
            return handled
        try:
            await store.append(workspace, [_append(order, state, added)])
        except VersionConflict:
            if attempt == TRIES:
                raise
        else:
            return handled
    raise AssertionError("the last attempt returns or raises")


async def request(store: EventStore, workspace: str, order: Order) -> Handled:
    """Carry out the first command of a new approval, without reading a stream that is not there.

    Raises `ClaimTaken` when the key names another approval, `VersionConflict` when the approval
    exists, `Unavailable` when the store is away.
    """
    (handled,) = await request_batch(store, workspace, [order])
    return handled


async def request_batch(
    store: EventStore, workspace: str, orders: Sequence[Order]
) -> list[Handled]:
    """Carry out the first commands of new approvals in one transaction: all of them, or none.

    Raises as `request` does.
    """
    nothing = fold(())
    added = [decide(order.command, nothing) for order in orders]
    await store.append(
        workspace,
        [_append(order, nothing, facts) for order, facts in zip(orders, added, strict=True)],
    )
    return [
        _handled(order.approval_id, nothing, [], facts)
        for order, facts in zip(orders, added, strict=True)
    ]


async def request_in_place_of(
    store: EventStore, workspace: str, order: Order, older_id: str, supersede: SupersedeApproval
) -> Handled:
    """Carry out the first command of a new approval and withdraw an older one, or neither.

    Returns what became of the new one. Raises as `request` does, and `VersionConflict` when the
    older one changed `TRIES` times meanwhile.
    """
    nothing = fold(())
    added = decide(order.command, nothing)
    for attempt in range(1, TRIES + 1):
        older = fold(
            recorded.event for recorded in (await store.read(workspace, [older_id]))[older_id]
        )
        appends = [_append(order, nothing, added)]
        withdrawn = decide(supersede, older)
        if withdrawn:
            ended = Order(
                approval_id=older_id, command=supersede, command_id=f"{order.command_id} older"
            )
            appends.append(_append(ended, older, withdrawn))
        try:
            await store.append(workspace, appends)
        except VersionConflict:
            if attempt == TRIES:
                raise
        else:
            return _handled(order.approval_id, nothing, [], added)
    raise AssertionError("the last attempt returns or raises")


async def handle_batch(
    store: EventStore, workspace: str, orders: Sequence[Order]
) -> dict[str, Handled]:
    """Carry out commands for different approvals in one transaction, and return them by approval.

    Raises as `handle` does, and then nothing was kept; a caller goes on one by one.
    """

    def the_same(order: Order) -> MadeAtOnce:
        return lambda _state: order

    made = {order.approval_id: the_same(order) for order in orders}
    return await handle_batch_made(store, workspace, made)


async def handle_batch_made(
    store: EventStore, workspace: str, made: Mapping[str, MadeAtOnce]
) -> dict[str, Handled]:
    """Carry out, by approval, commands that are made from what they meet, in one transaction.

    Raises as `handle_batch` does.
    """
    streams = await store.read(workspace, list(made))
    appends: list[Append] = []
    results: dict[str, Handled] = {}
    for approval_id, make in made.items():
        before = [recorded.event for recorded in streams[approval_id]]
        state = fold(before)
        order = make(state)
        added = decide(order.command, state) if order is not None else []
        results[approval_id] = _handled(approval_id, state, before, added)
        if order is not None and added:
            appends.append(_append(order, state, added))
    if appends:
        await store.append(workspace, appends)
    return results


def _append(order: Order, state: State, added: list[ApprovalEvent]) -> Append:
    return Append(
        approval_id=order.approval_id,
        expected_version=state.version,
        events=tuple(added),
        command_id=order.command_id,
        claims=order.claims,
    )


def _handled(
    approval_id: str, state: State, before: list[ApprovalEvent], added: list[ApprovalEvent]
) -> Handled:
    return Handled(
        approval_id=approval_id,
        state=fold(added, state),
        facts=(*before, *added),
        added=tuple(added),
    )
