"""The whole application on a fresh database, without a server."""

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from backend.app import create_app
from backend.wiring import Services
from tests.support.buyer import Buyer
from tests.support.localstripe import LocalStripe
from tests.support.shop import put_on_sale


@pytest.fixture
def services(services: Services) -> Services:
    """With the event `gig` on sale."""
    put_on_sale(services.engine)
    return services


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


@pytest.fixture
def buyer(client: FlaskClient) -> Buyer:
    return Buyer(client)


@pytest.fixture(scope="session")
def bank() -> Iterator[LocalStripe]:
    with LocalStripe() as started:
        yield started
