"""Solidity that only tests need, compiled once and kept in `build/`, whoever asks first.

The key of the cache is everything the compiler sees, so a stale entry can't be met.
"""

import fcntl
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from contracts import build

HERE = Path(__file__).parent
CACHE = build.HERE.parent / "build" / "solc-cache"

# Helpers need no speed, and code generation without the optimizer is the fastest to compile.
QUICK: dict[str, Any] = {**build.SETTINGS, "optimizer": {"enabled": False}, "viaIR": False}


@dataclass(frozen=True)
class Compiled:
    """What `Chain.deploy` needs of a contract."""

    abi: list[dict[str, Any]]
    bytecode: str


@cache
def hostile(name: str) -> Compiled:
    """A contract of `hostile/`."""
    output = compile_cached(build.compiler_input(HERE / "hostile", QUICK))
    return contract(output, f"src/{name}.sol", name)


def contract(output: dict[str, Any], unit: str, name: str) -> Compiled:
    found = output["contracts"][unit][name]
    return Compiled(found["abi"], "0x" + found["evm"]["bytecode"]["object"])


def compile_cached(standard_input: dict[str, Any], *, warnings: bool = False) -> dict[str, Any]:
    """The compiler's output, from the cache if the same was compiled before; `warnings`: they may be there."""
    key = hashlib.sha256(json.dumps(standard_input, sort_keys=True).encode()).hexdigest()
    CACHE.mkdir(parents=True, exist_ok=True)
    path = CACHE / f"{key}.json"
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            partial = path.with_suffix(".part")
            partial.write_text(json.dumps(build.compile_input(standard_input, warnings=warnings)))
            partial.rename(path)
    output: dict[str, Any] = json.loads(path.read_text())
    return output
