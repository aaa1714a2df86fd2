"""Any request that the OpenAPI document allows, and many it does not: no 5xx, no answer that is not documented."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import insert

from backend.app import create_app
from backend.db.clock import now_ms
from backend.db.tables.events import WaitingRoom
from backend.wiring import Services
from tests.support.buyer import Buyer, new_key
from tests.support.embedded import embedded_shop
from tests.support.shop import put_on_sale

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES, MANY_EXAMPLES = 6, 300  # for each operation and each way of making requests
ORDER = {"lines": [{"class": "floor", "quantity": 1}]}
RUSH = (  # what buyers of an event in a rush are told, which chance seldom comes upon
    ("/orders", ORDER, 403, "waiting_room"),
    ("/waiting-room", None, 201, None),
    ("/waiting-list", {"class": "floor", "quantity": 1}, 201, None),
    ("/waiting-list", {"class": "balcony", "quantity": 1}, 409, "not_sold_out"),
    ("/waiting-list", {"class": "none", "quantity": 1}, 422, "unknown_class"),
)
WITHOUT_SIGNER = ("/api/v1/tickets/{ticket_id}/credential",)  # 503 is its right answer here


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with embedded_shop(tmp_path_factory.mktemp("openapi"), floor=100_000) as made:
        yield made


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_gets_a_5xx_or_an_undocumented_answer(services: Services, mode: GenerationMode) -> None:
    _try_all(services, mode, EXAMPLES)


def test_what_is_answered_in_a_rush_is_documented(services: Services) -> None:
    """A floor that is sold out, and a sale that has begun behind a waiting room."""
    event_id = put_on_sale(services.engine, slug="rush", floor=1)
    app = create_app(services)
    headers = {"Idempotency-Key": new_key()}
    assert app.test_client().post("/api/v1/events/rush/orders", json=ORDER, headers=headers).status_code == 201
    with services.engine.begin() as connection:
        now = now_ms(connection)
        times = {"opens_ms": now - 2000, "starts_ms": now - 1000, "rate_per_minute": 60_000}
        connection.execute(insert(WaitingRoom).values(event_id=event_id, seed=bytes(32), **times))
    services.rooms._rooms.clear()
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    for path, body, status, code in RUSH:
        more: dict[str, Any] = {"body": body, "media_type": "application/json"} if body is not None else {}
        operation = schema[f"/api/v1/events/{{slug}}{path}"]["POST"]
        case = operation.Case(path_parameters={"slug": "rush"}, headers={"Idempotency-Key": new_key()}, **more)
        answer = case.call()
        assert (answer.status_code, answer.json().get("code")) == (status, code)
        case.validate_response(answer, checks=CHECKS)


@pytest.mark.deep
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_of_many_gets_a_5xx_or_an_undocumented_answer(services: Services, mode: GenerationMode) -> None:
    _try_all(services, mode, MANY_EXAMPLES)


def _try_all(services: Services, mode: GenerationMode, examples: int) -> None:
    app = create_app(services)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    buyer = Buyer(app.test_client())
    order = buyer.bought()
    # Half of the requests are about what exists, and open it.
    real = {"slug": "gig", "order_id": order["order_id"], "ticket_id": order["tickets"][0]["ticket_id"]}
    secrets = {"Authorization": f"Bearer {order['order_secret']}", "Idempotency-Key": new_key()}
    found: list[str] = []
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
        def tried(case: Any, known: bool) -> None:
            if known:
                case.path_parameters = {**(case.path_parameters or {}), **_named(real, case.path)}
                case.headers = {**(case.headers or {}), **secrets}
            answer = case.call()
            if answer.status_code == 503 and case.path in WITHOUT_SIGNER:
                return
            case.validate_response(answer, checks=CHECKS)

        try:
            with suppress(Unsatisfiable):  # nothing about it can be said wrongly
                tried()
        except (Exception, FailureGroup) as error:  # noqa: BLE001 - each operation's own findings, told together
            found.append(f"{operation.label}: {_story(error)}")
    assert not found, "\n\n".join(found)


def _story(error: BaseException) -> str:
    """The failures inside a group of them."""
    inside = getattr(error, "exceptions", ())
    return "; ".join(map(_story, inside)) if inside else str(error)


def _named(real: dict[str, str], path: str) -> dict[str, str]:
    return {name: value for name, value in real.items() if f"{{{name}}}" in path}
