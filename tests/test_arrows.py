"""The arrows between the rooms, kept: wallet, verifier, backend -> credential; backend -> contracts; nothing else."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS: dict[str, set[str]] = {
    "credential": set(),
    "contracts": set(),
    "wallet": {"credential"},
    "verifier": {"credential"},
    "backend": {"credential", "contracts"},
}
OUTSIDE: dict[str, set[str]] = {  # what rooms that promise to be light may import beside the standard library
    "credential": {"nacl"},
    "verifier": {"nacl", "PIL", "zxingcpp"},
}


def imports(source: str, package: str) -> set[str]:
    """Top-level names that a module of `package` imports, wherever in it the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(package if node.level else (node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call) and _is_dynamic_import(node):
            argument = node.args[0] if node.args else None
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                found.add(argument.value.partition(".")[0] or package)
    return found


def violations(room: str, source: str) -> set[str]:
    """What a module of `room` imports and may not."""
    found = imports(source, room)
    wrong = {name for name in found & set(ROOMS) if name != room and name not in ROOMS[room]}
    if found & {"tests", "examples", "tools"}:
        wrong |= found & {"tests", "examples", "tools"}
    if room in OUTSIDE:
        wrong |= found - set(sys.stdlib_module_names) - OUTSIDE[room] - set(ROOMS)
    return wrong


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_room_imports_only_what_its_arrows_allow(room: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): found for path in modules(room) if (found := violations(room, path.read_text()))
    }

    assert wrong == {}
    assert modules(room), "a room that is not found is not checked"


def test_one_module_imports_web3() -> None:
    users = [path for room in ROOMS for path in modules(room) if "web3" in imports(path.read_text(), room)]

    assert len(users) <= 1, users


@pytest.mark.parametrize(
    ("room", "planted", "caught"),
    [
        ("verifier", "import backend", {"backend"}),
        ("verifier", "from wallet.keys import derive", {"wallet"}),
        ("verifier", "def late():\n    import backend.db", {"backend"}),
        ("verifier", "import importlib\nimportlib.import_module('backend.web')", {"backend"}),
        ("verifier", "__import__('wallet')", {"wallet"}),
        ("verifier", "import requests", {"requests"}),
        ("verifier", "from tests.support import postgres", {"tests"}),
        ("credential", "from verifier import check", {"verifier"}),
        ("credential", "import eth_account", {"eth_account"}),
        ("wallet", "from contracts import load_artifact", {"contracts"}),
        ("contracts", "import credential", {"credential"}),
        ("backend", "if True:\n    from verifier import check", {"verifier"}),
        ("backend", "import credential, contracts, flask", set()),
        ("verifier", "from . import check\nfrom credential import ids\nimport json", set()),
    ],
)
def test_planted_violation_is_caught(room: str, planted: str, caught: set[str]) -> None:
    assert violations(room, planted) == caught


def _is_dynamic_import(node: ast.Call) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in {"import_module", "__import__"}
