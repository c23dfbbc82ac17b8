"""What a SCIM client may find out: what is supported, which resources, with which attributes."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.people.scim.messages import ENTERPRISE, GROUP, USER, Resource

MOST_RESULTS = 200

_CONFIG = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
_TYPE = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Schema"


def provider_config(at: str) -> Resource:
    """Return what is supported; `at` is the address of `/scim/v2`."""
    return {
        "schemas": [_CONFIG],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST_RESULTS},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": False},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "API key",
                "description": "A key of Placet with the scope people:manage, as a bearer token.",
                "primary": True,
            }
        ],
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": f"{at}/ServiceProviderConfig",
        },
    }


def resource_types(at: str) -> Sequence[Resource]:
    """Return which resources there are."""
    return [
        _type(at, "User", "/Users", USER, [{"schema": ENTERPRISE, "required": False}]),
        _type(at, "Group", "/Groups", GROUP, []),
    ]


def schemas(at: str) -> Sequence[Resource]:
    """Return the attributes that are kept; any others are passed over."""
    return [
        _schema(at, USER, "User", _USER),
        _schema(at, GROUP, "Group", _GROUP),
        _schema(at, ENTERPRISE, "EnterpriseUser", _ENTERPRISE),
    ]


def _type(
    at: str, name: str, endpoint: str, schema: str, extensions: Sequence[Mapping[str, Any]]
) -> Resource:
    return {
        "schemas": [_TYPE],
        "id": name,
        "name": name,
        "endpoint": endpoint,
        "schema": schema,
        "schemaExtensions": list(extensions),
        "meta": {"resourceType": "ResourceType", "location": f"{at}/ResourceTypes/{name}"},
    }


def _schema(at: str, urn: str, name: str, attributes: Sequence[Resource]) -> Resource:
    return {
        "schemas": [_SCHEMA],
        "id": urn,
        "name": name,
        "attributes": list(attributes),
        "meta": {"resourceType": "Schema", "location": f"{at}/Schemas/{urn}"},
    }


def _attribute(name: str, kind: str = "string", **more: Any) -> Resource:
    return {
        "name": name,
        "type": kind,
        "multiValued": False,
        "required": False,
        "caseExact": False,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
        **more,
    }


def _items(name: str, **more: Any) -> Resource:
    parts = [_attribute(part) for part in ("value", "display", "type")]
    parts.append(_attribute("primary", "boolean"))
    return _attribute(name, "complex", multiValued=True, subAttributes=parts, **more)


def _references(name: str, **more: Any) -> Resource:
    parts = [
        _attribute("value", caseExact=True),
        _attribute("display", mutability="readOnly"),
        _attribute("$ref", "reference", referenceTypes=["User", "Group"], mutability="readOnly"),
    ]
    return _attribute(name, "complex", multiValued=True, subAttributes=parts, **more)


_USER = (
    _attribute("userName", required=True, uniqueness="server"),
    _attribute("externalId", caseExact=True),
    _attribute(
        "name",
        "complex",
        subAttributes=[_attribute(part) for part in ("formatted", "givenName", "familyName")],
    ),
    _attribute("displayName"),
    _items("emails"),
    _attribute("active", "boolean"),
    _items("roles"),
    _attribute("timezone"),
    _references("groups", mutability="readOnly"),
)
_GROUP = (
    _attribute("displayName", required=True, uniqueness="server"),
    _attribute("externalId", caseExact=True),
    _references("members"),
)
_ENTERPRISE = (
    _attribute(
        "manager",
        "complex",
        subAttributes=[
            _attribute("value", caseExact=True),
            _attribute("displayName", mutability="readOnly"),
        ],
    ),
)
