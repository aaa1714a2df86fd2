"""The desk in the whole application, on SQLite; what the desk writes is tested on both databases in tests/backend/desk.

Passwords are hashed at the least cost: what they cost is no test's matter.
"""

import shutil
from pathlib import Path

import pytest
from flask import Flask

from backend.app import create_app
from backend.wiring import Services


@pytest.fixture
def database_url(_sqlite_template: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(_sqlite_template, tmp_path / 'truestub.sqlite')}"


@pytest.fixture(autouse=True)
def _cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.desk.passwords.PASSES", 1)
    monkeypatch.setattr("backend.desk.passwords.MEMORY_BYTES", 8192)


@pytest.fixture
def app(services: Services) -> Flask:
    return create_app(services)
