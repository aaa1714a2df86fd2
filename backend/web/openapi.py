"""What the OpenAPI document says beyond the routes themselves."""

from typing import Any

from apiflask import APIFlask

PATH = "/openapi.json"

_METHODS = ("get", "put", "post", "delete", "patch", "head")

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "description": "urn:truestub:problem:<code>"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "stable, for machines"},
        "detail": {"type": "string", "description": "a sentence for people, in the language asked for"},
        "retry_after": {"type": "integer", "description": "seconds; also in the Retry-After header"},
    },
}


def describe(app: APIFlask) -> None:
    """Configure the document of `app`."""
    app.config["INFO"] = {
        "description": "Sell tickets, mint them, check them. Errors are problem+json (RFC 9457) with a stable code.",
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }
    app.config["OPENAPI_VERSION"] = "3.1.0"
    app.security_schemes = {
        "order_secret": {"type": "http", "scheme": "bearer", "description": "the order_secret of an order"},
        "gate_token": {"type": "http", "scheme": "bearer", "description": "the token a gate was enrolled with"},
    }
    app.spec_processor(_problems_everywhere)


def _always(address: str, operation: dict[str, Any]) -> dict[str, str]:
    """What every operation of its shape may answer, whatever it does."""
    found = {"503": "The database does not answer; nothing was lost"}
    if "{" in address:
        found["404"] = "There is no such thing"
    if "requestBody" in operation:
        found |= {"400": "Not JSON", "413": "Too large", "415": "Not sent as JSON", "422": "Not as described"}
    return found


def _problems_everywhere(spec: dict[str, Any] | str) -> dict[str, Any] | str:
    """Every answer of 400 and above is a problem; 202 is the order as it stands."""
    if isinstance(spec, str):
        raise TypeError("the document is served as JSON")
    spec.setdefault("components", {}).setdefault("schemas", {})["Problem"] = _PROBLEM
    for address, path in spec["paths"].items():
        for method, operation in path.items():
            if method not in _METHODS:
                continue
            for status, why in _always(address, operation).items():
                operation.setdefault("responses", {}).setdefault(status, {"description": why})
            for status, answer in operation.get("responses", {}).items():
                if int(status) >= 400:
                    schema = {"$ref": "#/components/schemas/Problem"}
                    answer["content"] = {"application/problem+json": {"schema": schema}}
    return spec
