"""Says what a message must hold to be kept: a poison message is found before it meets the store."""

import re
from dataclasses import replace

from events.approval import Person
from events.codec import Unreadable
from events.observation import Observation, ObservedContent
from services.web.emails import NotAnAddress, email

MAX_WORD = 200
MAX_TITLE = 500
MAX_REASON = 10_000
MAX_ADDRESS = 254
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_URL = re.compile(r"https?://[^\s\x00-\x1f]{1,1990}")


def checked(observation: Observation) -> Observation:
    """Return an observation as it is kept, with addresses in lower case.

    Raises `Unreadable` naming the field that cannot be kept or looked up.
    """
    for field in ("workspace", "source", "record_id"):
        _word(getattr(observation, field), field)
    if "/" in observation.source:
        # It stands before the record's id in the key that names the record.
        raise Unreadable("source: must not hold a slash")
    if observation.revision:
        _word(observation.revision, "revision")
    if observation.settled_by:
        _word(observation.settled_by, "settled_by", MAX_ADDRESS)
    content = observation.content
    return observation if content is None else replace(observation, content=_content(content))


def workspace(name: str) -> str:
    """Return the name of a workspace; raises `Unreadable` for one that cannot be looked up."""
    return _word(name, "workspace")


def _content(content: ObservedContent) -> ObservedContent:
    _word(content.type, "type")
    if not 1 <= len(content.title) <= MAX_TITLE:
        raise Unreadable(f"title: must have 1 to {MAX_TITLE} characters")
    if content.reason is not None and len(content.reason) > MAX_REASON:
        raise Unreadable(f"reason: must have at most {MAX_REASON} characters")
    if content.url is not None and not _URL.fullmatch(content.url):
        raise Unreadable("url: must be an http or https URL")
    approvers = {one.email: one for one in reversed([_person(p) for p in content.approvers])}
    if not approvers:
        raise Unreadable("approvers: somebody must be asked")
    return replace(
        content,
        requester=_person(content.requester),
        approvers=tuple(approvers.values())[::-1],
    )


def _person(person: Person) -> Person:
    try:
        return replace(person, email=email(person.email))
    except NotAnAddress as error:
        raise Unreadable(str(error)) from error


def _word(value: str, field: str, most: int = MAX_WORD) -> str:
    if not 1 <= len(value) <= most:
        raise Unreadable(f"{field}: must have 1 to {most} characters")
    if _CONTROLS.search(value):
        raise Unreadable(f"{field}: control characters are not allowed")
    return value
