"""`@requires_approval`: a function that runs only what was approved, and says why when not."""

import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Literal, ParamSpec, TypeAlias, TypedDict, TypeVar, Unpack, cast

from placet.approval import Urgency
from placet.arguments import Arguments
from placet.asking import Gate, acknowledged, verdict
from placet.asynchronous import AsyncPlacet
from placet.blocking import Placet
from placet.calls import Somebody
from placet.json_values import Json
from placet.questions import OnQuestion

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

CallArguments = Mapping[str, Any]
"""The arguments of a call by name, defaults too."""
Given: TypeAlias = T | Callable[[CallArguments], T]
"""A value, or a function of the arguments that returns it."""
Client: TypeAlias = Placet | AsyncPlacet | Callable[[], Placet | AsyncPlacet] | None


class Said(TypedDict, total=False):
    """What else an ask may say: values, or functions of the arguments."""

    requester: Given[Somebody | None]
    reason: Given[str | None]
    urgency: Given[Urgency | None]
    expires_in: Given[int | None]
    callback_url: Given[str | None]
    links: Given[Sequence[Mapping[str, str | None]] | None]
    subject: Given[str | None]
    revision: Given[str | int | None]
    checkpoint_name: Given[str | None]
    execution_id: Given[str | None]
    agent_id: Given[str | None]
    metadata: Given[Mapping[str, Json] | None]
    supersede_on_comment: Given[bool | None]


def requires_approval(
    *,
    type: str,  # noqa: A002 # the field's name everywhere
    when: Callable[[CallArguments], bool] | None = None,
    title: Given[str] | None = None,
    approvers: Given[Sequence[Somebody]] | None = None,
    timeout: float | None = None,
    on_timeout: Literal["raise"] | Callable[..., Any] = "raise",
    payload: Callable[[CallArguments], Mapping[str, Json]] | None = None,
    leave_out: Collection[str] = (),
    editable: bool = False,
    idempotency_key: Given[str] | None = None,
    on_question: OnQuestion | None = None,
    client: Client = None,
    **said: Unpack[Said],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function, or coroutine function, run only once somebody approved this very call.

    A call asks, waits, and runs the function with exactly what was approved; then the approval is
    acknowledged. It raises `Rejected`, `Withdrawn` or `Expired`, with the approver's reason,
    `NotDecidedInTime`, and `ArgumentsChanged` when the arguments changed while it waited. In all
    of these, and when Placet is `Unavailable`, the function was not run.

    `when` tells from the arguments, by name, whether approval is needed; without it, always.
    `timeout` is in seconds. When it is over the request is withdrawn, and only then is
    `on_timeout`, if it is a function, called with the same arguments; a decision that was made
    before the withdrawal counts. The approval expires a minute after `timeout`, unless
    `expires_in` says otherwise, in case this process does not live to withdraw it.

    The payload is the arguments as JSON but for those that `leave_out` names, or what `payload`
    makes of them; what is not in it is not bound. `editable` lets the approver change the
    arguments; the function is then called with theirs.

    With an `idempotency_key` that names the action, a process that was started anew waits for the
    approval it asked for before; once that was acknowledged, `AlreadyCarriedOut` is raised.

    `on_question` is called once with each `Question` that an approver asks back; the text that it
    returns is the answer, None leaves it to a person. The call waits on in any case, as long as
    `timeout` lets it. It may be a coroutine function where the gated function is one.

    `client` is a `Placet` (an `AsyncPlacet` for coroutine functions) or a function that returns
    one; without it a call opens one from `PLACET_URL` and `PLACET_KEY`. Whatever else an ask may
    say is taken too; `title`, `approvers`, `idempotency_key` and these may be functions of the
    arguments. Raises `TypeError` for what cannot be gated.
    """

    def gated(function: Callable[P, R]) -> Callable[P, R]:
        _refuse_generators(function)
        gate = Gate(
            type=type,
            title=title or function.__name__.replace("_", " ").strip().capitalize(),
            when=when,
            approvers=approvers,
            timeout=timeout,
            payload=payload,
            arguments=Arguments(function, leave_out),
            editable=editable,
            idempotency_key=idempotency_key,
            said=cast("Mapping[str, Any]", said),
            has_fallback=callable(on_timeout),
            on_question=on_question,
        )
        if inspect.iscoroutinefunction(function):
            _refuse_another(AsyncPlacet, client)
            made: Callable[..., Any] = _async(gate, function, on_timeout, client)
        else:
            _refuse_another(Placet, client)
            if inspect.iscoroutinefunction(on_question):
                raise TypeError("on_question: only a gated coroutine function can await one.")
            made = _blocking(gate, function, on_timeout, client)
        return cast("Callable[P, R]", functools.wraps(function)(made))

    return gated


def _blocking(
    gate: Gate, function: Callable[..., R], on_timeout: object, client: Client
) -> Callable[..., R]:
    def call(*args: Any, **kwargs: Any) -> R:
        bound = gate.arguments.bind(args, kwargs)
        if not gate.asks(bound):
            return function(*args, **kwargs)
        given = _given(Placet, client)
        with Placet() if given is None else nullcontext(given) as placet:
            found = placet.run(verdict(gate, placet.settings, bound))
            if found is None:
                fallback = cast("Callable[..., R]", on_timeout)
                return fallback(*args, **kwargs)
            returned = function(*found.args, **found.kwargs)
            placet.run(acknowledged(placet.settings, found.approval))
            return returned

    return call


def _async(
    gate: Gate, function: Callable[..., Any], on_timeout: object, client: Client
) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        bound = gate.arguments.bind(args, kwargs)
        if not gate.asks(bound):
            return await function(*args, **kwargs)
        given = _given(AsyncPlacet, client)
        async with AsyncPlacet() if given is None else nullcontext(given) as placet:
            found = await placet.run(verdict(gate, placet.settings, bound))
            if found is None:
                fallback = cast("Callable[..., Any]", on_timeout)
                instead = fallback(*args, **kwargs)
                return await instead if inspect.isawaitable(instead) else instead
            returned = await function(*found.args, **found.kwargs)
            await placet.run(acknowledged(placet.settings, found.approval))
            return returned

    return call


def _given(kind: type[T], client: Client) -> T | None:
    """Return the client that was given, which stays open; None when a call opens its own."""
    if client is None:
        return None
    made = client if isinstance(client, Placet | AsyncPlacet) else client()
    _refuse_another(kind, made)
    return cast("T", made)


def _refuse_another(kind: type[T], client: Client) -> None:
    if isinstance(client, Placet | AsyncPlacet) and not isinstance(client, kind):
        raise TypeError(
            "client: a coroutine function needs an AsyncPlacet, any other function a Placet."
        )


def _refuse_generators(function: Callable[..., Any]) -> None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{function.__name__} is a generator, which runs bit by bit: gate the function that "
            "does the thing."
        )
