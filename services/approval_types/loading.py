"""Reads the files of approval types, and puts people in the place of roles."""

from datetime import timedelta
from pathlib import Path

from events.approval import Person
from services.approval_types import ApprovalType
from services.approval_types.definition import TypeFile, validator_of
from services.approval_types.people import People
from services.web.emails import NotAnAddress, email
from services.yaml_files.faults import invalid, parse, read_text
from services.yaml_files.numbered_yaml import Fault, Numbered


def load_type(path: Path, people: People) -> ApprovalType:
    """Return the type that a file describes; raises `FileInvalid` with every fault at once."""
    file, numbered = parse(read_text(path), str(path), TypeFile, {})
    faults: list[Fault] = []
    approvers = approvers_of(list(file.approvers), people, numbered, ("approvers",), faults)
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
        card=file.card,
        validator=validator_of(file.payload),
    )


def approvers_of(
    given: list[str],
    people: People,
    numbered: Numbered,
    path: tuple[str | int, ...],
    faults: list[Fault],
) -> tuple[Person, ...]:
    """Return whom addresses and roles stand for; what stands for nobody is added to `faults`."""
    found: dict[str, Person] = {}
    for place, one in enumerate(given):
        if "@" not in one:
            members = people.with_role(one)
            if not members:
                faults.append(_nobody(numbered, (*path, place), one))
            found.update({person.email: person for person in members})
            continue
        try:
            person = people.known(Person(email=email(one)))
        except NotAnAddress as error:
            faults.append(Fault(numbered.line((*path, place)), f"{path[0]}: {error}"))
        else:
            found[person.email] = person
    return tuple(found.values())


def _nobody(numbered: Numbered, path: tuple[str | int, ...], role: str) -> Fault:
    return Fault(
        numbered.line(path),
        f"{path[0]}: nobody has the role {role!r}: name it under `people` in placet.yaml",
    )
