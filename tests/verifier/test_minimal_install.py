"""A gate needs Python and PyNaCl, and no network. Both are proved in processes that end if it is otherwise."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.verifier.platform import Platform

# Refuses to import anything but the standard library, PyNaCl (with cffi below it) and the two rooms of a gate.
ONLY_PYNACL = """
import importlib.abc, sys

ALLOWED = set(sys.stdlib_module_names) | {"nacl", "cffi", "_cffi_backend", "credential", "verifier"}

class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED:
            raise ModuleNotFoundError(f"not installed on this gate: {name}")

for name in [name for name in sys.modules if name.partition(".")[0] not in ALLOWED | {"__main__"}]:
    del sys.modules[name]
sys.meta_path.insert(0, Refuse())
from verifier.cli import main
sys.exit(main(sys.argv[1:]))
"""

USE_A_SOCKET = """
import sys
from verifier.no_network import forbid_network
forbid_network()
import socket, urllib.request, http.client
{use}
print("still alive")
"""


def bare(folder: Path, *command: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", ONLY_PYNACL, "--data", str(folder), *command]
    return subprocess.run(program, input=typed, capture_output=True, text=True, check=False)


def test_gate_runs_with_nothing_but_pynacl_and_no_network(tmp_path: Path) -> None:
    platform = Platform()
    folder = platform.gate_with_data(tmp_path / "gate")

    done = bare(folder, "scan", "--no-network", typed=f"{platform.full()}\n{platform.compact()}\n")

    assert (done.returncode, done.stderr) == (1, "")
    assert "ADMIT" in done.stdout
    assert "USED" in done.stdout
    assert bare(folder, "status", "--no-network").returncode == 0


def test_picture_without_the_libraries_is_said_in_a_sentence(tmp_path: Path) -> None:
    folder = Platform().gate_with_data(tmp_path / "gate")

    done = bare(folder, "scan", "--picture", "code.png")

    assert done.returncode == 3
    assert done.stderr.startswith("pictures_not_installed: ")


@pytest.mark.parametrize(
    "use",
    [
        "socket.socket()",
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.getaddrinfo('localhost', 80)",
        "socket.gethostbyname('localhost')",
        "urllib.request.urlopen('http://127.0.0.1:9/')",
        "http.client.HTTPConnection('127.0.0.1', 9).connect()",
        "import asyncio; asyncio.run(asyncio.open_connection('127.0.0.1', 9))",
        "socket.socketpair()",
    ],
)
def test_any_use_of_the_network_ends_the_process(use: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", USE_A_SOCKET.format(use=use)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr.startswith("network_used: ")


def test_sync_is_what_the_proof_would_have_caught(tmp_path: Path) -> None:
    """The hook sees the gate's own download: a proof that could not fail would prove nothing."""
    folder = Platform().set_up_gate(tmp_path / "gate")
    script = f"""
import sys
from verifier.no_network import forbid_network
from verifier.cli import main
forbid_network()
sys.exit(main(["--data", {str(folder)!r}, "sync"]))
"""

    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 6
