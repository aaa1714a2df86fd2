"""What tests of sales share."""

from collections.abc import Iterator

import pytest

from tests.support.chain_shop import Till, open_chain_shop
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def chain_shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    """One node and one event for all tests of a module: deploying takes longest."""
    folder = tmp_path_factory.mktemp(request.param)
    url = f"sqlite:///{folder}/truestub.sqlite"
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database()
    with open_chain_shop(folder, url) as opened:
        yield opened
