"""JMESPath expressions of a source file, compiled once when the file is read."""

from dataclasses import dataclass, field
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

from events.approval import Json

MAX_EXPRESSION_CHARS = 4096


class Inapplicable(Exception):
    """The expression cannot be applied to this record: look at the record's shape."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression that remembers how it was written."""

    text: str
    _compiled: ParsedResult = field(repr=False, compare=False)

    def of(self, value: Json) -> Json:
        """Return what the expression picks, None when there is nothing; raises `Inapplicable`."""
        try:
            return self._compiled.search(value)
        except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            raise Inapplicable(f"`{self.text}` does not fit the record: {_line(error)}") from error

    def holds(self, value: Json) -> bool:
        """Tell whether the expression is true as JMESPath sees it; raises `Inapplicable`."""
        picked = self.of(value)
        # JMESPath counts 0 as true, and empty texts, lists and objects as false.
        return picked is not None and picked is not False and picked not in ("", [], {})


def compiled(text: str) -> Expression:
    """Return the expression; raises `ValueError` with a sentence that says what is wrong."""
    if not text.strip():
        raise ValueError("is empty: write a JMESPath expression")
    if len(text) > MAX_EXPRESSION_CHARS:
        raise ValueError(f"is longer than {MAX_EXPRESSION_CHARS} characters")
    try:
        expression = jmespath.compile(text)
    except (JMESPathError, RecursionError) as error:
        raise ValueError(f"`{text}` is not a JMESPath expression: {_line(error)}") from error
    for name in _functions(expression.parsed):
        if name not in Functions.FUNCTION_TABLE:
            known = ", ".join(sorted(Functions.FUNCTION_TABLE))
            raise ValueError(f"`{text}` calls {name}(), which JMESPath has not. It has: {known}")
    return Expression(text, expression)


def _functions(node: Any) -> list[str]:
    found: list[str] = []
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            if current.get("type") == "function_expression":
                found.append(current["value"])
            waiting.extend(current.get("children", ()))
    return found


def _line(error: BaseException) -> str:
    """Return an error's first telling line: JMESPath draws arrows below the expression."""
    text = str(error).removeprefix("Invalid jmespath expression: ")
    return text.splitlines()[0].strip().rstrip(":") if text else type(error).__name__
