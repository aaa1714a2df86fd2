"""With no network: once the ticket is there, showing it touches no socket, and needs no library that could."""

import json
import subprocess
import sys

import pytest

from tests.wallet.fake_http import FakeServer
from tests.wallet.home import Home

TOUCHED = 99
GUARDED = f"""
import os, sys
def guard(event, arguments):
    if event.startswith("socket.") and event not in ("socket.gethostname",):
        os._exit({TOUCHED})
sys.addaudithook(guard)
from wallet.cli import main
code = main(sys.argv[1:])
loaded = sorted(name for name in ("httpx", "eth_account", "web3", "socket") if name in sys.modules)
print(loaded, file=sys.stderr)
sys.exit(code)
"""


def guarded(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command under an audit hook that ends the process at any use of a socket."""
    command = [sys.executable, "-c", GUARDED, *home.options, "--json", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(
    "arguments",
    [("tickets",), ("show", "1", "--once"), ("show", "2", "--once", "--compact"), ("answer", "1", "017123456")],
)
def test_shows_with_no_network_and_no_network_library(
    bought: Home, platform: FakeServer, arguments: tuple[str, ...]
) -> None:
    platform.__exit__()
    done = guarded(bought, *arguments)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert "httpx" not in done.stderr
    assert "eth_account" not in done.stderr


def test_draws_with_no_network(bought: Home) -> None:
    picture = bought.folder.parent / "code.png"
    assert guarded(bought, "show", "1", "--once", "--png", str(picture)).returncode == 0
    assert picture.stat().st_size > 100


def test_the_guard_bites(bought: Home) -> None:
    """Else the tests above would show nothing."""
    assert guarded(bought, "status").returncode == TOUCHED
