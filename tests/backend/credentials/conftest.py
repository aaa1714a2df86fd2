from pathlib import Path

import pytest
from sqlalchemy import Engine

from backend.credentials.keystore import KeyStore
from tests.backend.credentials.world import World, make_world


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys")


@pytest.fixture
def world(engine: Engine, keys: KeyStore) -> World:
    return make_world(engine, keys)
