"""What a SCIM user means for the directory, and how somebody of the directory looks as a user."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from services.directory import label
from services.directory.fields import LABEL, is_time_zone
from services.people.rows import PersonRow
from services.people.scim.documents import Document
from services.people.scim.messages import ENTERPRISE, USER, Resource, bad_value
from services.web.emails import NotAnAddress, email

LONGEST_NAME = 200


def user_name_of(document: Document) -> str:
    """Return the name by which the provider knows a user; raises `ScimError` for none."""
    found = document.get("userName", "").strip()
    if not found:
        raise bad_value("userName: is missing.")
    return str(found)


def email_of(document: Document) -> str:
    """Return the address by which people ask a user; raises `ScimError` for none.

    It is the primary e-mail, else that for work, else the first, else the user name.
    """
    emails: Sequence[Document] = document.get("emails", ())
    ranked = sorted(
        emails,
        key=lambda one: (one.get("primary") is not True, str(one.get("type")).lower() != "work"),
    )
    given = ranked[0]["value"] if ranked else user_name_of(document)
    try:
        return email(given)
    except NotAnAddress as error:
        where = "emails" if ranked else "userName"
        raise bad_value(f"{where}: {error}. An approver needs one.") from error


def applied(row: PersonRow, document: Document, manager: str | None) -> PersonRow:
    """Return somebody as the document has them; raises `ScimError` for what it may not say.

    What no document of theirs ever named stays, as an import has it; `manager` is an address.
    """
    before = row.document or {}

    def says(*names: str) -> bool:
        return any(name in one for name in names for one in (before, document))

    return replace(
        row,
        email=email_of(document),
        name=_name_of(document) if says("displayName", "name") else row.name,
        active=document.get("active", row.active),
        roles=_roles_of(document) if says("roles") else row.roles,
        manager=manager if says(ENTERPRISE) else row.manager,
        time_zone=_time_zone_of(document) if says("timezone") else row.time_zone,
        origin="scim",
        user_name=user_name_of(document),
        external_id=document.get("externalId"),
        document=document,
        removed=False,
    )


def document_of(row: PersonRow) -> Document:
    """Return what SCIM knows of somebody; of somebody imported, what it could know."""
    if row.document is not None:
        return {**row.document}
    document: Document = {
        "userName": row.user_name or row.email,
        "emails": [{"value": row.email, "type": "work", "primary": True}],
    }
    if row.name is not None:
        document["displayName"] = row.name
    if row.time_zone is not None:
        document["timezone"] = row.time_zone
    if row.roles:
        document["roles"] = [{"value": role} for role in row.roles]
    if row.manager is not None:
        document[ENTERPRISE] = {"manager": {"value": row.manager}}
    return document


def user_resource(
    row: PersonRow,
    groups: Sequence[Mapping[str, str]],
    manager_id: str | None,
    manager_name: str | None,
    at: str,
) -> Resource:
    """Return somebody as a SCIM user; `at` is the address of the users."""
    document = document_of(row)
    resource: Resource = {"schemas": [USER], "id": row.person_id, **document, "active": row.active}
    if row.manager is not None:
        resource["schemas"] = [USER, ENTERPRISE]
        known = {"value": manager_id or row.manager, "displayName": manager_name or row.manager}
        resource[ENTERPRISE] = {"manager": known}
    else:
        resource.pop(ENTERPRISE, None)
    resource["groups"] = list(groups)
    resource["meta"] = meta("User", row.created_at, row.updated_at, f"{at}/{row.person_id}")
    return resource


def meta(kind: str, created: datetime | None, changed: datetime | None, location: str) -> Resource:
    """Return what a resource says of itself."""
    return {
        "resourceType": kind,
        "created": created,
        "lastModified": changed,
        "location": location,
    }


def _name_of(document: Document) -> str | None:
    name: Mapping[str, str] = document.get("name", {})
    whole = f"{name.get('givenName', '')} {name.get('familyName', '')}"
    for found in (document.get("displayName", ""), name.get("formatted", ""), whole):
        if found.strip():
            return str(found.strip()[:LONGEST_NAME])
    return None


def _roles_of(document: Document) -> Sequence[str]:
    roles = sorted({label(_role(one["value"])) for one in document.get("roles", ())} - {""})
    for role in roles:
        if not LABEL.fullmatch(role):
            raise bad_value(f"roles: {role[:50]!r} is longer than 100 characters.")
    return roles


def _role(value: str) -> str:
    """Return the role in a value; some providers put a whole object into it, as JSON."""
    if value.startswith("{"):
        try:
            found: Any = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return value
        named = found.get("value") or found.get("displayName") if isinstance(found, dict) else None
        return str(named or value)
    return value


def _time_zone_of(document: Document) -> str | None:
    zone: str | None = document.get("timezone") or None
    if zone is not None and not is_time_zone(zone):
        raise bad_value(f"timezone: {zone[:100]!r} is none of the tz database.")
    return zone
