"""Read requests: strict bodies, idempotency keys, bearer secrets. What is wrong is refused with the field's name."""

import re
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Annotated, Any, TypeVar

import orjson
from apiflask import APIBlueprint
from flask import current_app, request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from backend.errors import refuse
from backend.i18n import gettext as _
from backend.wiring import Services

MAX_BODY_BYTES = 64 * 1024
MIN_KEY_CHARACTERS = 16  # a key is answered with the order's secret: nobody else must think of the same
MAX_KEY_CHARACTERS = 80
TOO_SLOW = "truestub.too_slow"  # set in the WSGI environment by `serving`: the body did not come in time
MAX_ERRORS = 10  # of a body, told at once

_VISIBLE = re.compile(r"[!-~]+")  # ASCII

View = TypeVar("View", bound=Callable[..., Any])
Model = TypeVar("Model", bound=BaseModel)


class Body(BaseModel):
    """A JSON body: no unknown fields, no "3" for 3."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class KeyHeaders(BaseModel):
    """Headers of every POST that changes something."""

    idempotency_key: Annotated[
        str, StringConstraints(min_length=MIN_KEY_CHARACTERS, max_length=MAX_KEY_CHARACTERS, pattern=r"^[!-~]+$")
    ] = Field(
        alias="Idempotency-Key",
        description="A new random text, such as a UUID, for each thing you want done; the same one when you repeat it.",
    )


def services() -> Services:
    """The parts of the application this request runs in."""
    found: Services = current_app.extensions["truestub"]
    return found


def takes(blueprint: APIBlueprint, model: type[Model]) -> Callable[[View], View]:
    """A view that is given its parsed JSON body as `body`."""

    def decorate(view: View) -> View:
        documented = blueprint.input(model)(view)  # for the OpenAPI document; reading is ours, for codes of our own

        @wraps(documented)
        def reading(**arguments: Any) -> Any:  # noqa: ANN401 - a view's own
            return view(**arguments, body=read_body(model))

        return reading  # type: ignore[return-value]

    return decorate


def keyed(blueprint: APIBlueprint) -> Callable[[View], View]:
    """A view that is given the request's Idempotency-Key as `key`."""

    def decorate(view: View) -> View:
        documented = blueprint.input(KeyHeaders, location="headers")(view)

        @wraps(documented)
        def reading(**arguments: Any) -> Any:  # noqa: ANN401 - a view's own
            return view(**arguments, key=idempotency_key())

        return reading  # type: ignore[return-value]

    return decorate


def read_body(model: type[Model]) -> Model:
    """The JSON body as `model`; refuses bodies that are too large, not JSON, or not what `model` says."""
    if request.mimetype != "application/json":
        raise refuse("not_json", _("Send JSON, with Content-Type: application/json"))
    try:
        return model.model_validate_json(request.get_data(cache=False))
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
    first = problems[0]
    if first["type"] == "json_invalid":
        raise refuse("invalid_json", _("The body is not JSON"))
    fields = [{"field": _path(one["loc"]), "problem": one["msg"]} for one in problems[:MAX_ERRORS]]
    if first["type"] == "extra_forbidden":
        raise refuse(
            "unknown_field", _("There is no field %s; look for a typing error") % fields[0]["field"], errors=fields
        )
    sentence = _("The field %s can't be used; see errors") % (fields[0]["field"] or "body")
    raise refuse("invalid_request", sentence, errors=fields)


def refuse_slow_body() -> None:
    """Refuse a request whose body did not come in time."""
    if request.environ.get(TOO_SLOW):
        raise refuse("request_too_slow", _("The request did not arrive in time; send it again, with the same key"))


def refuse_nul_in_address() -> None:
    """Refuse an address with a NUL in it, in its path or in what follows the question mark."""
    refuse_nul((request.path, *request.args.values()))


def refuse_nul(texts: Iterable[str]) -> None:
    """Refuse texts with a NUL in them: nobody writes one, PostgreSQL stores none, and C libraries end a text there."""
    if any("\0" in text for text in texts):
        raise refuse("invalid_request", _("There is a NUL character in a text; write it without"))


def idempotency_key() -> str:
    """The request's key: 16 to 80 visible ASCII characters, random: whoever repeats it is given the first answer."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        sentence = _("Send an Idempotency-Key header: a new random text for each order, the same when you repeat it")
        raise refuse("idempotency_key_missing", sentence)
    if not is_good_key(key):
        raise refuse(
            "idempotency_key_invalid",
            _("Idempotency-Key must have 16 to 80 visible ASCII characters; take a random UUID"),
        )
    return key


def is_good_key(key: str) -> bool:
    """Whether it is of the length and the characters that an Idempotency-Key must have."""
    return MIN_KEY_CHARACTERS <= len(key) <= MAX_KEY_CHARACTERS and _VISIBLE.fullmatch(key) is not None


def bearer() -> str:
    """The order's secret in `Authorization: Bearer ...`."""
    secret = bearer_token()
    if secret is None:
        raise refuse("order_secret_missing", _("Send the order's secret as Authorization: Bearer"))
    return secret


def bearer_token() -> str | None:
    """What stands in `Authorization: Bearer ...`; none if there is no such header."""
    return bearer_in(request.headers.get("Authorization", ""))


def bearer_in(header: str) -> str | None:
    """The token in an Authorization header; none if there is none."""
    scheme, _space, secret = header.partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None


def reply(body: Any) -> bytes:  # noqa: ANN401 - what JSON can hold
    """JSON bytes."""
    return orjson.dumps(body)


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part)[:40] for part in location)
