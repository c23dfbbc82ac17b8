"""Turns YAML into a checked model, and names everything that is wrong with it at once."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path as FilePath
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from services.yaml_files.numbered_yaml import Fault, NotYaml, Numbered, Path, read

Model = TypeVar("Model", bound=BaseModel)


class FileInvalid(Exception):
    """The file cannot be used until what `errors` say is put right, each with file and line."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


def read_text(path: FilePath) -> str:
    """Return what stands in a file; raises `FileInvalid`."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise FileInvalid([f"{path}: the file cannot be read: {reason}"]) from error


def parse(
    text: str, name: str, model: type[Model], environ: Mapping[str, str]
) -> tuple[Model, Numbered]:
    """Return what `text` says as a model, and its lines; `name` is how its errors call it.

    Raises `FileInvalid` with every fault at once.
    """
    try:
        numbered = read(text)
    except NotYaml as error:
        raise invalid(name, error.faults) from error
    if not isinstance(numbered.value, dict):
        raise invalid(name, [Fault(1, "the file must be a mapping that begins with `name:`")])
    try:
        return model.model_validate(numbered.value, context={"environ": environ}), numbered
    except ValidationError as error:
        # Without the cause: its text would repeat the input, with what may be a secret.
        raise invalid(name, _faults(error, numbered, model)) from None


def invalid(name: str, faults: list[Fault]) -> FileInvalid:
    """Return the error for some faults of a file, in the order of its lines."""
    ordered = sorted(faults, key=lambda fault: fault.line)
    return FileInvalid([f"{name}:{fault.line}: {fault.sentence}" for fault in ordered])


def _faults(error: ValidationError, numbered: Numbered, root: type[BaseModel]) -> list[Fault]:
    """Return one sentence for each place that is wrong."""
    found: dict[Path, Fault] = {}
    for one in error.errors(include_url=False):
        for path, sentence in _sentences(one, numbered.value, root):
            shown = dotted(path)
            said = f"{shown}: {sentence}" if shown else sentence
            # A value that may be of several kinds gives an error for each: one is enough.
            found.setdefault(path, Fault(numbered.line(path), said))
    return list(found.values())


def _sentences(error: Any, data: Any, root: type[BaseModel]) -> Iterator[tuple[Path, str]]:
    path = _data_path(error["loc"], data)
    kind, context = error["type"], error.get("ctx", {})
    match kind:
        case "faults":
            for below, sentence in context["faults"]:
                yield (*path, *below), sentence
        case "missing":
            yield path, "is missing"
        case "extra_forbidden":
            yield path, _unknown_key(path, data, root)
        case "union_tag_not_found":
            yield (*path, "type"), "is missing: it says which kind this is"
        case "union_tag_invalid":
            yield (*path, "type"), f"must be one of {context['expected_tags']}"
        case "literal_error":
            yield path, f"must be {context['expected']}"
        case "string_pattern_mismatch" if path == ("name",):
            yield path, "may hold a-z, 0-9, - and _, at most 63, and begins with a letter or digit"
        case _:
            yield path, _KINDS.get(kind, "") or _plain(error["msg"])


_KINDS: Mapping[str, str] = {
    "string_type": "must be a text; put it in quotes",
    "string_pattern_mismatch": "holds a character that may not stand here",
    "int_type": "must be a whole number",
    "bool_type": "must be true or false",
    "too_short": "must hold at least one value",
    "tuple_type": "must be a list: write [a, b]",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
}


def _plain(message: str) -> str:
    """Return pydantic's own words in the style of ours."""
    return message.replace("Input should ", "must ", 1).replace("valid ", "", 1)[:300]


def _data_path(location: tuple[str | int, ...], data: Any) -> Path:
    """Return where an error stands in the file: pydantic adds the kinds of things to its paths."""
    path: list[str | int] = []
    for at, part in enumerate(location):
        inside = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if inside:
            path.append(part)
            data = data[part]
        elif at == len(location) - 1 and isinstance(data, dict):
            path.append(part)  # a key that is missing
    return tuple(path)


def dotted(path: Path) -> str:
    """Return a path as a fault names it: `steps[0].rule`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _unknown_key(path: Path, data: Any, root: type[BaseModel]) -> str:
    known = sorted(_known_keys(path[:-1], data, root))
    close = get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
    if close:
        return f"is not known here; did you mean `{close[0]}`?"
    return f"is not known here; known are {', '.join(known)}"


def _known_keys(path: Path, data: Any, root: type[BaseModel]) -> set[str]:
    """Return the keys that the model at `path` has."""
    model: type[BaseModel] | None = root
    for part in path:
        data = data[part]
        if model is None or isinstance(part, int):
            continue
        annotation = next(
            (
                field.annotation
                for name, field in model.model_fields.items()
                if part in {name, field.alias}
            ),
            None,
        )
        model = _model_in(annotation, data)
    return {field.alias or name for name, field in model.model_fields.items()} if model else set()


def _model_in(annotation: Any, data: Any) -> type[BaseModel] | None:
    """Return the model that an annotation means for this value: of several, by its `type`."""
    models: list[type[BaseModel]] = []
    waiting = [annotation]
    while waiting:
        current = waiting.pop()
        if isinstance(current, type) and issubclass(current, BaseModel):
            models.append(current)
        elif get_origin(current) is Annotated:
            waiting.append(get_args(current)[0])
        elif get_origin(current) in {Union, UnionType, tuple, list}:
            waiting.extend(get_args(current))
    if len(models) == 1:
        return models[0]
    wanted = data.get("type") if isinstance(data, dict) else None
    for model in models:
        if wanted in get_args(model.model_fields["type"].annotation):
            return model
    return None
