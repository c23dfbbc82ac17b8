"""Writes the published JSON Schemas from the types that the code itself reads and writes with.

`python scripts/schemas.py` writes them, `--check` fails when what is there differs. Files of
versions that are no longer written stay: what was stored with them must stay readable.
"""

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, get_args, get_type_hints

import msgspec

from events import approval, observation
from events.approval import Link, Outcome, Person, SourceRecord, WithdrawalCause
from events.codec import EVENT_TYPES, SCHEMA_VERSIONS
from events.observation import Observation
from services.decision import request_body
from services.decision.request_body import ApprovalBody

FOLDER = Path(__file__).parents[1] / "events" / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
INTAKE_VERSION = 1
"""Version of what comes in: observations and asks."""
PUBLIC_VERSION = 1
"""Version of the public facts."""

Schema = dict[str, Any]


def _says(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


class PublicFact(TypedDict):
    """What every public fact says: see `events.public`, which a test holds to this."""

    approval_id: Annotated[str, _says("The approval; also the message's key.")]
    workspace: Annotated[str, _says("Whose approval it is.")]
    version: Annotated[int, _says("The fact's place in the approval's history, from 1.")]
    type: Annotated[str, _says("The kind of thing to be approved, such as expense.")]
    type_version: Annotated[
        int | None, _says("The version of its approval type; null for a type nobody defined.")
    ]
    title: Annotated[str, _says("One line for people.")]
    requester: Annotated[Person, _says("Who asks.")]
    source: Annotated[SourceRecord | None, _says("The mirrored record, if it mirrors one.")]
    subject: Annotated[str | None, _says("The requester's own name for what it is about.")]
    revision: Annotated[str, _says("The version of the content that stands.")]
    round: Annotated[int, _says("How often the record has become pending, from 1.")]
    payload_digest: Annotated[str, _says("SHA-256 of the canonical payload (RFC 8785).")]
    checkpoint_name: Annotated[str | None, _says("The agent's checkpoint that waits.")]
    execution_id: Annotated[str | None, _says("The agent's run that waits.")]
    agent_id: Annotated[str | None, _says("The agent that asks.")]
    links: Annotated[list[Link], _says("Items elsewhere that belong to it.")]
    at: Annotated[datetime, _says("When it happened.")]


class Requested(PublicFact):
    """An approval was asked for."""

    status: Literal["pending"]
    approvers: Annotated[list[Person], _says("Who may decide.")]
    expires_at: Annotated[datetime, _says("Until when.")]


class Decided(PublicFact):
    """An approval was decided: final."""

    status: Outcome
    decided_by: Annotated[str, _says("The approver's address.")]
    decided_at: Annotated[datetime, _says("When the approver answered.")]
    decision_reason: Annotated[str | None, _says("In the approver's words.")]
    decision_channel: Annotated[str, _says("Through what the approver answered.")]
    edited_payload_digest: Annotated[
        str | None, _says("Of the payload as the approver edited it: this is what was approved.")
    ]


class Withdrawn(PublicFact):
    """An approval was withdrawn, there is nothing left to decide: final."""

    status: Literal["withdrawn"]
    cause: WithdrawalCause
    withdrawn_by: Annotated[str | None, _says("Who settled, cancelled or recalled it.")]
    withdrawn_reason: Annotated[str, _says("One line for people.")]
    outcome_in_source: Annotated[Outcome | None, _says("How the source settled it, if it did.")]
    superseded_by: Annotated[str | None, _says("The newer approval of the same subject.")]


class Expired(PublicFact):
    """An approval expired, nobody decided in time: final."""

    status: Literal["expired"]


PUBLIC_FACTS: Mapping[str, Any] = {
    "approval.requested": Requested,
    "approval.decided": Decided,
    "approval.withdrawn": Withdrawn,
    "approval.expired": Expired,
}


def schemas() -> Mapping[str, Schema]:
    """Return path below `events/schemas` → schema, for every message that is written today."""
    found = {
        f"{name}.v{SCHEMA_VERSIONS[name]}.json": _schema(kind, name, SCHEMA_VERSIONS[name])
        for name, kind in EVENT_TYPES.items()
    }
    for name, kind in PUBLIC_FACTS.items():
        path = f"public/{name}.v{PUBLIC_VERSION}.json"
        found[path] = _schema(kind, name, PUBLIC_VERSION, "public:")
    found[f"approval.observed.v{INTAKE_VERSION}.json"] = _observed()
    found[f"approval.requests.v{INTAKE_VERSION}.json"] = _requests()
    return found


def _observed() -> Schema:
    schema = _schema(Observation, "approval.observed", INTAKE_VERSION)
    # What the types cannot say: a pending record comes with its content.
    schema["if"] = {"properties": {"state": {"const": "pending"}}}
    schema["then"] = {"required": ["content"], "properties": {"content": {"type": "object"}}}
    return schema


def _requests() -> Schema:
    schema = _schema(ApprovalBody, "approval.requests", INTAKE_VERSION)
    # Over HTTP a key says who asks; over Kafka the message must.
    schema["required"] = ["requester"]
    schema["properties"] = {"requester": {"type": ["string", "object"]}}
    return schema


def _schema(kind: Any, name: str, version: int, prefix: str = "") -> Schema:
    generated = msgspec.json.schema(kind)
    for title, definition in generated["$defs"].items():
        definition["description"] = inspect.cleandoc(definition["description"])
        for field, hint in get_type_hints(_classes()[title]).items():
            if datetime in (hint, *get_args(hint)):
                _is_a_time(definition["properties"][field])
    root = generated["$defs"][kind.__name__]
    return {
        "$schema": DIALECT,
        "$id": f"urn:placet:{prefix}{name}:v{version}",
        "title": f"{name}, version {version}",
        "description": root["description"].splitlines()[0],
        **generated,
    }


def _classes() -> Mapping[str, Any]:
    modules = (approval, observation, request_body)
    found = {cls.__name__: cls for module in modules for cls in vars(module).values() if _own(cls)}
    return found | {cls.__name__: cls for cls in PUBLIC_FACTS.values()}


def _own(value: Any) -> bool:
    return isinstance(value, type) and hasattr(value, "__annotations__")


def _is_a_time(schema: Schema) -> None:
    """Say what msgspec says only of types that demand a time zone: every time here has one."""
    for one in schema.get("anyOf", [schema]):
        if one.get("type") == "string":
            one["format"] = "date-time"


def text_of(schema: Schema) -> str:
    """Return a schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def differences(folder: Path = FOLDER) -> Iterator[str]:
    """Yield what is wrong with the files in a folder, a line each."""
    wanted = schemas()
    for path, schema in wanted.items():
        file = folder / path
        if not file.is_file():
            yield f"{path} is missing"
        elif file.read_text("utf-8") != text_of(schema):
            yield f"{path} differs from the code"
    current = {path.rpartition(".v")[0]: _version(path) for path in wanted}
    for file in sorted(folder.rglob("*.json")):
        path = file.relative_to(folder).as_posix()
        name = path.rpartition(".v")[0]
        if path not in wanted and _version(path) >= current.get(name, 0):
            yield f"{path} stands for nothing that is written"


def _version(path: str) -> int:
    number = path.rpartition(".v")[2].removesuffix(".json")
    return int(number) if number.isdigit() else 0


def write(folder: Path = FOLDER) -> None:
    """Write every schema anew."""
    for path, schema in schemas().items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text_of(schema), "utf-8")


def main(arguments: list[str]) -> int:
    """Write, or check; returns the process's exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: python scripts/schemas.py [--check]")
        return 2
    if not arguments:
        write()
        print(f"{len(schemas())} schemas written to {FOLDER.name}/")
        return 0
    wrong = list(differences())
    for line in wrong:
        print(line)
    if wrong:
        print("Run `make schemas`, and look at what changed: within a version, only additions.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
