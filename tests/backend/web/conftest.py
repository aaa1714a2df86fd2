"""The whole application on a fresh database, without a server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from backend.app import create_app
from backend.settings import settings_from
from backend.wiring import Services, wire
from tests.support.buyer import Buyer
from tests.support.shop import put_on_sale


@pytest.fixture
def services(database_url: str, tmp_path: Path) -> Iterator[Services]:
    """Everything wired, on SQLite and on PostgreSQL, with the event `gig` on sale."""
    settings = settings_from({"TRUESTUB_DATA_DIR": str(tmp_path / "data"), "TRUESTUB_DATABASE_URL": database_url})
    services = wire(settings)
    put_on_sale(services.engine)
    yield services
    services.close()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return create_app(services).test_client()


@pytest.fixture
def buyer(client: FlaskClient) -> Buyer:
    return Buyer(client)
