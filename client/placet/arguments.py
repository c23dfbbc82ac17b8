"""The arguments of a call as the payload of an approval, and an edited payload as arguments."""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from placet.errors import ArgumentsChanged
from placet.json_values import Json, plain_json

ITSELF = ("self", "cls")
"""What a method is called on is no argument that somebody approves."""


class Arguments:
    """How a function's arguments become JSON and back; `leave_out` names those that do not."""

    def __init__(self, function: Callable[..., Any], leave_out: Collection[str]) -> None:
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters
        unknown = sorted(set(leave_out) - set(parameters))
        if unknown:
            raise TypeError(f"leave_out: there is no parameter {', '.join(unknown)}.")
        first = next(iter(parameters), None)
        self._left_out = {*leave_out, *(name for name in ITSELF if name == first)}

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        """Return every argument under its parameter's name, defaults too; raises `TypeError`."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound

    def payload(self, bound: inspect.BoundArguments) -> dict[str, Json]:
        """Return the arguments as JSON of its own; raises `TypeError` naming one that is not."""
        payload: dict[str, Json] = {}
        for name, value in bound.arguments.items():
            if name in self._left_out:
                continue
            try:
                payload[name] = plain_json(value, name)
            except TypeError as error:
                raise TypeError(
                    f"The argument {error} Or leave it out of what is approved "
                    "(leave_out=[...]), or say what is (payload=...)."
                ) from error
        return payload

    def edited(
        self, bound: inspect.BoundArguments, payload: Json
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of an edited payload, with those that were left out as they are.

        Raises `ArgumentsChanged` for a payload that the function cannot be called with.
        """
        wanted = {name for name in self._signature.parameters if name not in self._left_out}
        if not isinstance(payload, dict) or set(payload) != wanted:
            raise ArgumentsChanged(
                "The approver's edit does not fit the function: it takes "
                f"{', '.join(sorted(wanted)) or 'nothing'}. Nothing was run."
            )
        for name, parameter in self._signature.parameters.items():
            if name in wanted:
                _check_shape(parameter, payload[name])
        # In the order of the parameters: an object in JSON has none.
        arguments = {
            name: payload[name] if name in wanted else bound.arguments[name]
            for name in self._signature.parameters
        }
        merged = inspect.BoundArguments(self._signature, OrderedDict(arguments))
        return merged.args, merged.kwargs


def _check_shape(parameter: inspect.Parameter, value: Json) -> None:
    for kind, shape, called in (
        (inspect.Parameter.VAR_POSITIONAL, list, "a list"),
        (inspect.Parameter.VAR_KEYWORD, dict, "an object"),
    ):
        if parameter.kind is kind and not isinstance(value, shape):
            raise ArgumentsChanged(
                f"The approver's edit does not fit the function: {parameter.name} must be "
                f"{called}. Nothing was run."
            )
