"""What SCIM calls answer with: resources, lists and errors in SCIM's own shapes."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response

MEDIA_TYPE = "application/scim+json"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

Resource = dict[str, Any]


class ScimError(Exception):
    """The call is refused; `scim_type` is one of the words of RFC 7644, 3.12."""

    def __init__(self, status: int, detail: str, scim_type: str | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.scim_type = scim_type


def bad_value(detail: str) -> ScimError:
    """Return the error for an attribute that holds what it may not."""
    return ScimError(400, detail, "invalidValue")


def taken(detail: str) -> ScimError:
    """Return the error for what is there already."""
    return ScimError(409, detail, "uniqueness")


def not_there(kind: str) -> ScimError:
    """Return the error for an id that is nobody's."""
    return ScimError(404, f"There is no such {kind}.")


def scim_answer(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a resource or a list as the answer."""
    return Response(
        msgspec.json.encode(content),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )


def error_answer(
    status: int,
    detail: str,
    scim_type: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return an error; its status stands in the body as a text, as the standard has it."""
    body = {"schemas": [ERROR], "status": str(status), "detail": detail}
    if scim_type is not None:
        body["scimType"] = scim_type
    return scim_answer(body, status, headers)


def listed(resources: Sequence[Resource], total: int, start: int) -> Resource:
    """Return a page of a list; places are counted from 1."""
    return {
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": list(resources),
    }


def only(resource: Resource, attributes: str | None, excluded: str | None) -> Resource:
    """Return what was asked for of a resource: `id` and `schemas` are always there."""
    if attributes:
        wanted = _names(attributes)
        kept = {"schemas", "id", "meta"}
        return {
            name: value
            for name, value in resource.items()
            if name in kept or name.lower() in wanted
        }
    if excluded:
        unwanted = _names(excluded) - {"id", "schemas"}
        return {name: value for name, value in resource.items() if name.lower() not in unwanted}
    return resource


def wants(name: str, attributes: str | None, excluded: str | None) -> bool:
    """Tell whether an attribute is asked for: some cost a lot to find."""
    if attributes:
        return name in _names(attributes)
    return not excluded or name not in _names(excluded)


def _names(text: str) -> set[str]:
    """Return the attributes named, in lower case; of a sub-attribute, that which it is part of."""
    names: set[str] = set()
    for one in text.split(","):
        name = one.strip()
        for urn in (USER, GROUP):
            name = name.removeprefix(f"{urn}:")
        is_extension = name.lower().startswith(ENTERPRISE.lower())
        names.add((ENTERPRISE if is_extension else name.partition(".")[0]).lower())
    return names
