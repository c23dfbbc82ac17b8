"""Reads the files of approval types, and whom they name."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from services.approval_types import ApprovalType
from services.approval_types.definition import TypeFile, validator_of
from services.directory import Directory
from services.policies import Spec, spec_of
from services.yaml_files.faults import invalid, parse, read_text
from services.yaml_files.numbered_yaml import Fault, Numbered


def load_type(path: Path, people: Directory) -> ApprovalType:
    """Return the type that a file describes; raises `FileInvalid` with every fault at once."""
    file, numbered = parse(read_text(path), str(path), TypeFile, {})
    faults: list[Fault] = []
    approvers = approvers_of(file.approvers, people, numbered, ("approvers",), faults)
    for place, role in enumerate(file.requesters):
        if not people.with_role(role):
            faults.append(_nobody(numbered, ("requesters", place), role))
    if faults:
        raise invalid(str(path), faults)
    return ApprovalType(
        name=file.name,
        version=file.version,
        title=file.title,
        payload_schema=file.payload,
        requesters=file.requesters,
        approvers=approvers,
        expires_after=timedelta(seconds=file.expires_in) if file.expires_in else None,
        on_timeout=file.on_timeout,
        editable=file.editable,
        decide_over_mcp=file.decide_over_mcp,
        decide_from_link=file.decide_from_link,
        undo_s=file.undo,
        assurance=file.assurance,
        card=file.card,
        sensitive=file.sensitive,
        validator=validator_of(file.payload),
    )


def approvers_of(
    given: Sequence[str],
    people: Directory,
    numbered: Numbered,
    path: tuple[str | int, ...],
    faults: list[Fault],
) -> tuple[Spec, ...]:
    """Return whom texts name; what could not name anybody is added to `faults`."""
    specs: list[Spec] = []
    for place, one in enumerate(given):
        where = (*path, place)
        try:
            spec = spec_of(one)
        except ValueError as error:
            faults.append(Fault(numbered.line(where), f"{path[0]}: {error}"))
            continue
        if spec.kind in ("record", "silent"):
            faults.append(
                Fault(numbered.line(where), f"{path[0]}: {one} is known to policies only")
            )
        elif spec.kind == "role" and not people.with_role(spec.value):
            faults.append(_nobody(numbered, where, spec.value))
        else:
            specs.append(spec)
    return tuple(specs)


def _nobody(numbered: Numbered, path: tuple[str | int, ...], role: str) -> Fault:
    return Fault(
        numbered.line(path),
        f"{path[0]}: nobody has the role {role!r}: name it under `people` in placet.yaml",
    )
