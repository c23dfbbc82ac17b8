"""The kinds of values that a source file is made of, each checked when the file is read."""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from services.channels.sensitive import parts_of
from services.sources import expressions, templates
from services.sources.credentials import Secret, holds_secrets
from services.sources.expressions import Expression
from services.sources.templates import FaultyJson, JsonTemplate, Template
from services.yaml_files.durations import seconds, words

ITEM = ("item.record_id",)
ANSWER = (
    *ITEM,
    "answer.outcome",
    "answer.reason",
    "answer.by_email",
    "answer.by_name",
    "answer.approval_id",
    "answer.precondition",
    "answer.idempotency_key",
)
NOTE = (*ITEM, "note.text", "note.idempotency_key")
CURSOR = ("cursor.from",)
ROW = ("row.*",)

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


def fault(sentence: str, path: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """Return an error whose sentence is shown as it is, at `path` below the checked value."""
    return faults([(path, sentence)])


def faults(found: list[tuple[tuple[str | int, ...], str]]) -> PydanticCustomError:
    """Return one error that stands for several, each at its own path below the checked value."""
    return PydanticCustomError("faults", "see the faults", {"faults": found})


def _checked(check: Callable[[Any], Any]) -> PlainValidator:
    """Return a validator that shows the sentence of a `ValueError` as it is."""

    def validate(value: Any) -> Any:
        try:
            return check(value)
        except ValueError as error:
            raise fault(str(error)) from error

    return PlainValidator(validate)


def _text_in(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text; put it in quotes")  # noqa: TRY004 - a fault of the file, not of the program
    return value


def duration(low: float, high: float) -> PlainValidator:
    """Return the validator of a length of time between `low` and `high` seconds."""

    def within(value: object) -> float:
        length = seconds(value)
        if not low <= length <= high:
            raise ValueError(f"must be from {words(low)} to {words(high)}")
        return length

    return _checked(within)


def _text(value: object) -> Expression | Template:
    """Read a text with {{ in it as a template, any other as an expression: no JMESPath has {{."""
    text = _text_in(value)
    return templates.checked(text, ROW) if "{{" in text else expressions.compiled(text)


def _card_text(value: object) -> Template:
    return templates.compiled(_text_in(value))


def _pointer(value: object) -> str:
    text = _text_in(value)
    parts_of(text)
    return text


Expr = Annotated[Expression, _checked(lambda value: expressions.compiled(_text_in(value)))]
Text = Annotated[Expression | Template, _checked(_text)]
CardText = Annotated[Template, _checked(_card_text)]
Pointers = Annotated[
    tuple[Annotated[str, _checked(_pointer)], ...], Field(max_length=50, strict=False)
]
"""What of a payload is left out of every card that leaves Placet: JSON pointers."""


def path(known: tuple[str, ...]) -> PlainValidator:
    """Return the validator of a path below the base URL."""

    def check(value: object) -> Template:
        text = _text_in(value)
        template = templates.checked(text, known)
        plain = re.sub(r"\{\{.*?\}\}", "", text)
        if not text.startswith("/"):
            raise ValueError("must begin with / : it is added to http.base_url")
        if "?" in plain or "#" in plain:
            raise ValueError("must not hold ? or #: parameters stand under `query`")
        if any(character.isspace() for character in plain):
            raise ValueError("must not hold spaces")
        return template

    return _checked(check)


def query(known: tuple[str, ...]) -> PlainValidator:
    """Return the validator of query parameters."""
    return _named_values(known, "http.auth")


def headers(known: tuple[str, ...]) -> PlainValidator:
    """Return the validator of headers."""

    def check_name(name: str) -> str | None:
        return None if _HEADER_NAME.fullmatch(name) else "is not the name of a header"

    return _named_values(known, "http.auth", check_name)


def _named_values(
    known: tuple[str, ...],
    better: str,
    check_name: Callable[[str], str | None] = lambda _: None,
) -> PlainValidator:
    def check(value: object) -> Mapping[str, Template]:
        if not isinstance(value, dict):
            raise fault("must be a mapping of names to values")
        found: dict[str, Template] = {}
        wrong: list[tuple[tuple[str | int, ...], str]] = []
        for name, given in value.items():
            complaint = check_name(name)
            if complaint is not None:
                wrong.append(((name,), complaint))
            elif isinstance(given, dict | list) or given is None:
                wrong.append(((name,), "must be one value, not a list or a mapping"))
            elif holds_secrets(name) and "{{" not in str(given):
                wrong.append(
                    ((name,), f"looks like a secret, which no file may hold: use {better}")
                )
            else:
                text = str(given).lower() if isinstance(given, bool) else str(given)
                try:
                    found[name] = templates.checked(text, known)
                except ValueError as error:
                    wrong.append(((name,), str(error)))
        if wrong:
            raise faults(wrong)
        return found

    return PlainValidator(check)


def json_body(known: tuple[str, ...]) -> PlainValidator:
    """Return the validator of a JSON body with templates in it."""

    def check(value: object) -> JsonTemplate:
        if not isinstance(value, dict | list):
            raise fault("must be a mapping or a list")
        try:
            return templates.json_template(value, known)
        except FaultyJson as error:
            raise faults(error.faults) from error

    return PlainValidator(check)


def _from_environment(value: dict[str, Any], info: ValidationInfo) -> str | None:
    """Return the variable that `{env: NAME, default: …}` names, or None if it is not set."""
    strange = sorted(set(value) - {"env", "default"})
    if strange:
        raise fault("is not known here; known are env, default", (strange[0],))
    name = value.get("env")
    if not isinstance(name, str) or not _ENV_NAME.fullmatch(name):
        raise fault("must be the name of an environment variable", ("env",))
    environ: Mapping[str, str] = info.context["environ"] if info.context else {}
    return environ.get(name) or None


def _not_set(value: dict[str, Any]) -> PydanticCustomError:
    return fault(f"the environment variable {value['env']} is not set: set it and start again")


def _secret(value: object, info: ValidationInfo) -> Secret | None:
    # The value of a literal is never repeated: what is printed ends up in a log.
    if not isinstance(value, dict):
        raise fault("is a secret, which no file may hold: write {env: NAME_OF_A_VARIABLE}")
    if "default" in value:
        raise fault("is a secret, which no file may hold, not as a default either", ("default",))
    found = _from_environment(value, info)
    if found is None:
        if info.data.get("optional"):
            return None
        raise _not_set(value)
    if not found.isprintable():
        raise fault(f"the variable {value['env']} holds a line break or another control character")
    return Secret(found)


def _text_or_env(value: object, info: ValidationInfo) -> str:
    if not isinstance(value, dict):
        if not isinstance(value, str) or not value:
            raise fault("must be a text or {env: NAME}")
        return value
    found = _from_environment(value, info) or value.get("default")
    if not isinstance(found, str):
        raise _not_set(value)
    return found


def _base_url(value: object, info: ValidationInfo) -> str:
    url = _text_or_env(value, info).rstrip("/")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise fault("is not a URL") from None
    # A URL from the environment may hold a password: say what is wrong, never what it is.
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise fault("must be a URL such as https://expenses.example.com/api")
    if parts.username or parts.password:
        raise fault("must not hold a name or a password: they stand under http.auth")
    if parts.query or parts.fragment:
        raise fault("must not hold ? or #: parameters stand under `query`")
    return url


def _safe_url(value: object, info: ValidationInfo) -> str:
    url = _text_or_env(value, info)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise fault("is not a URL") from None
    here = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not (parts.scheme == "https" or here) or not parts.hostname or port == 0:
        raise fault("must be an https URL such as https://login.example.com/oauth/token")
    if parts.username or parts.password:
        raise fault("must not hold a name or a password")
    if parts.fragment:
        raise fault("must not hold #")
    return url


EnvSecret = Annotated[Secret, PlainValidator(_secret)]
OptionalEnvSecret = Annotated[Secret | None, PlainValidator(_secret)]
TextOrEnv = Annotated[str, PlainValidator(_text_or_env)]
BaseUrl = Annotated[str, PlainValidator(_base_url)]
SafeUrl = Annotated[str, PlainValidator(_safe_url)]
"""Where secrets are sent: over https, or over plain http to this machine."""
