"""What tests of several parts of the backend are given."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.i18n import set_language
from backend.settings import settings_from
from backend.wiring import Services, wire
from tests.support.patience import patient


@pytest.fixture
def services(database_url: str, tmp_path: Path) -> Iterator[Services]:
    """Everything wired, on SQLite and on PostgreSQL."""
    settings = settings_from({"TRUESTUB_DATA_DIR": str(tmp_path / "data"), "TRUESTUB_DATABASE_URL": database_url})
    services = patient(wire(settings))
    yield services
    services.close()


@pytest.fixture(autouse=True)
def _terminal_language() -> Iterator[None]:
    """A request in this process leaves its language behind; a terminal's sentences are not to follow it."""
    set_language(None)
    yield
    set_language(None)
