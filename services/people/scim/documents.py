"""The attributes of a user that are kept, as SCIM sets and changes them; pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.people.scim.filters import Clause, Path, read_path, word
from services.people.scim.messages import ENTERPRISE, ScimError, bad_value

MOST_OPERATIONS = 1000
MOST_ITEMS = 50
LONGEST = 1000

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TEXTS = {
    "username": "userName",
    "externalid": "externalId",
    "displayname": "displayName",
    "timezone": "timezone",
}
_LISTS = ("emails", "roles")
_NAME_PARTS = {"formatted": "formatted", "givenname": "givenName", "familyname": "familyName"}
_ITEM_PARTS = ("value", "type", "primary", "display")

Document = dict[str, Any]
"""What SCIM knows of a user, by the standard's names; only what Placet has a use for."""


def read_document(given: Mapping[str, Any]) -> Document:
    """Return the attributes of a whole user; others are passed over. Raises `ScimError`."""
    document: Document = {}
    _merge(document, given, "replace")
    return document


def patched(document: Document, operations: object) -> Document:
    """Return a document after the operations of a PATCH; raises `ScimError` for a wrong one."""
    found = _copy(document)
    for op, path, value in read_operations(operations):
        if path:
            _apply(found, read_path(path), value, op)
        elif isinstance(value, Mapping):
            _merge(found, value, op)
        elif op == "remove":
            raise ScimError(400, "remove: say the path of what is to be removed.", "noTarget")
        else:
            raise bad_value(f"{op}: without a path, the value must be an object.")
    return found


def read_operations(operations: object) -> Sequence[tuple[str, str | None, Any]]:
    """Return the operations of a PATCH as (op, path, value); raises `ScimError`."""
    if isinstance(operations, Mapping):
        operations = [operations]
    if not isinstance(operations, list) or not operations:
        raise ScimError(400, "Operations: must be a list of operations.", "invalidSyntax")
    if len(operations) > MOST_OPERATIONS:
        raise ScimError(400, f"Operations: at most {MOST_OPERATIONS}.", "tooMany")
    found: list[tuple[str, str | None, Any]] = []
    for one in operations:
        keys = {str(name).lower(): value for name, value in one.items()} if _is_map(one) else {}
        op, path = keys.get("op"), keys.get("path")
        if not isinstance(op, str) or op.lower() not in ("add", "replace", "remove"):
            raise ScimError(400, "op: must be add, replace or remove.", "invalidSyntax")
        if path is not None and not isinstance(path, str):
            raise ScimError(400, "path: must be a text.", "invalidPath")
        found.append((op.lower(), path, keys.get("value")))
    return found


def flag(value: object, name: str) -> bool:
    """Return true or false, also where it came as a text; raises `ScimError`."""
    if word(value) in ("true", "false"):
        return word(value) == "true"
    raise bad_value(f"{name}: must be true or false.")


def text(value: object, name: str) -> str:
    """Return a text that can be kept; raises `ScimError`."""
    if isinstance(value, str) and len(value) <= LONGEST and not _CONTROL.search(value):
        return value
    raise bad_value(f"{name}: must be a text of at most {LONGEST} characters.")


def _merge(document: Document, given: Mapping[str, Any], op: str) -> None:
    """Take over the attributes of an object; their names may be paths."""
    for name, value in given.items():
        try:
            path = read_path(name)
        except ScimError:
            continue  # the name of nothing that we know
        _apply(document, path, value, op)


def _apply(document: Document, path: Path, value: Any, op: str) -> None:
    if path.enterprise:
        _apply_enterprise(document, path, value, op)
    elif path.name in _TEXTS:
        name = _TEXTS[path.name]
        _set(document, name, op, value, text)
    elif path.name == "active":
        _set(document, "active", op, value, flag)
    elif path.name == "name":
        _apply_name(document, path, value, op)
    elif path.name in _LISTS:
        _apply_list(document, path, value, op)


def _set(
    document: Document, name: str, op: str, value: Any, read: Callable[[object, str], Any]
) -> None:
    if op == "remove" or value is None:
        document.pop(name, None)
    else:
        document[name] = read(value, name)


def _apply_name(document: Document, path: Path, value: Any, op: str) -> None:
    name = document.setdefault("name", {})
    if path.sub is not None:
        if path.sub in _NAME_PARTS:
            _set(name, _NAME_PARTS[path.sub], op, value, text)
    elif op == "remove" or value is None:
        name.clear()
    elif not isinstance(value, Mapping):
        raise bad_value("name: must be an object with givenName and familyName.")
    else:
        for part, said in value.items():
            if part.lower() in _NAME_PARTS:
                _set(name, _NAME_PARTS[part.lower()], op, said, text)
    if not name:
        del document["name"]


def _apply_enterprise(document: Document, path: Path, value: Any, op: str) -> None:
    if path.name == "" and isinstance(value, Mapping):
        for name, said in value.items():
            if name.lower() == "manager":
                _apply_enterprise(document, Path("manager", enterprise=True), said, op)
        return
    if path.name not in ("", "manager") or path.sub not in (None, "value"):
        return
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, Mapping):
        value = {key.lower(): said for key, said in value.items()}.get("value")
    if op == "remove" or value in (None, ""):
        document.pop(ENTERPRISE, None)
    else:
        document[ENTERPRISE] = {"manager": {"value": text(value, "manager.value")}}


def _apply_list(document: Document, path: Path, value: Any, op: str) -> None:
    items: list[Document] = document.setdefault(path.name, [])
    chosen = [one for one in items if _holds(one, path.clauses)]
    if op == "remove":
        _remove(items, chosen, path, value)
    elif path.sub is not None:
        if path.sub in _ITEM_PARTS:
            _set_part(items, chosen, path, value)
    elif path.clauses is not None:
        new = _items(path.name, value)
        if not chosen:
            chosen = [_like(path)]
            items.extend(chosen)
        for one in chosen:
            one.update(new[0] if new else {})
    else:
        new = _items(path.name, value)
        if op == "replace":
            items.clear()
        for one in new:
            items[:] = [there for there in items if there.get("value") != one.get("value")]
            items.append(one)
    # What has no value is nothing.
    items[:] = [one for one in items if one.get("value") is not None]
    if len(items) > MOST_ITEMS:
        raise bad_value(f"{path.name}: at most {MOST_ITEMS}.")
    _keep_one_primary(items)
    if not items:
        del document[path.name]


def _remove(items: list[Document], chosen: list[Document], path: Path, value: Any) -> None:
    if path.sub is not None:
        for one in chosen:
            one.pop(path.sub, None)
        return
    if path.clauses is None and value:
        gone = {word(one.get("value")) for one in _items(path.name, value)}
        chosen = [one for one in items if word(one.get("value")) in gone]
    items[:] = [one for one in items if not any(one is other for other in chosen)]


def _set_part(items: list[Document], chosen: list[Document], path: Path, value: Any) -> None:
    if not chosen:
        # An identity provider sets the address of a work e-mail that is not there yet.
        chosen = [_like(path)]
        items.extend(chosen)
    for one in chosen:
        _put(one, path.sub or "", value, path.name)


def _like(path: Path) -> Document:
    """Return an item that a path would have found."""
    item: Document = {}
    for one in path.clauses or ():
        if one.name in _ITEM_PARTS:
            _put(item, one.name, one.value, path.name)
    return item


def _items(name: str, value: Any) -> list[Document]:
    """Return the items of a list, also of one item, or of plain texts."""
    found: list[Document] = []
    for one in value if isinstance(value, list) else [] if value is None else [value]:
        item: Document = {}
        for part, said in one.items() if _is_map(one) else [("value", one)]:
            if part.lower() in _ITEM_PARTS:
                _put(item, part.lower(), said, name)
        if item.get("value") is not None:
            found.append(item)
    return found


def _put(item: Document, part: str, value: Any, name: str) -> None:
    if value is None:
        item.pop(part, None)
    else:
        item[part] = flag(value, f"{name}.primary") if part == "primary" else text(value, name)
    if part == "primary" and item.get("primary"):
        item["chosen"] = True


def _keep_one_primary(items: list[Document]) -> None:
    """Let the one that was made the primary last be the only one."""
    marked = [one for one in items if one.pop("chosen", False)]
    for one in items:
        if marked and one is not marked[-1] and one.get("primary"):
            one["primary"] = False


def _holds(item: Document, clauses: Sequence[Clause] | None) -> bool:
    return clauses is None or all(one.holds(item) for one in clauses)


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)


def _copy(document: Document) -> Document:
    return {
        name: [dict(one) for one in value]
        if isinstance(value, list)
        else dict(value)
        if isinstance(value, Mapping)
        else value
        for name, value in document.items()
    }
