"""A wallet in a folder, a fake platform, and both ways to run the command line: in this process and in its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wallet.fake_http import FakeServer
from tests.wallet.home import Home


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")


@pytest.fixture
def platform() -> Iterator[FakeServer]:
    with FakeServer() as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Home:
    """A wallet made from a stated phrase."""
    return Home(tmp_path / "wallet", capfd)


@pytest.fixture
def bought(home: Home, platform: FakeServer) -> Home:
    """A wallet that holds two tickets."""
    assert (
        home.run("buy", "concert", "--yes", "--class", "standing", "--quantity", "2", "--server", platform.url).code
        == 0
    )
    return home
