"""Compiles `src/` with the npm compiler and writes `artifacts/` (SPEC 8.9).

    python -m contracts.build

Everything the bytecode depends on is in the compiler and its input: sources (those of OpenZeppelin included) and
settings. Artifacts name the hashes of both, and a test compiles again and compares.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import solcx
from eth_utils.crypto import keccak
from solcx.exceptions import SolcError

HERE = Path(__file__).parent
SOURCES = HERE / "src"
ARTIFACTS = HERE / "artifacts"
NODE_MODULES = HERE.parent / "node_modules"
COMPILER = HERE / "solc.js"

SETTINGS: dict[str, Any] = {
    "optimizer": {"enabled": True, "runs": 450},
    "viaIR": True,
    "evmVersion": "cancun",
    # No metadata trailer: comments then change the input hash but not the bytecode.
    "metadata": {"bytecodeHash": "none", "appendCBOR": False},
    "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"]}},
}

_IMPORT = re.compile(r"""^import\s+(?:[^"';]*?\s+from\s+)?["']([^"']+)["'];""", re.MULTILINE)


def main() -> None:
    artifacts = build()
    ARTIFACTS.mkdir(exist_ok=True)
    for stale in ARTIFACTS.glob("*.json"):
        stale.unlink()
    for name, artifact in artifacts.items():
        (ARTIFACTS / f"{name}.json").write_text(render(artifact))


def build() -> dict[str, dict[str, Any]]:
    """The artifact of every contract that can be deployed, by name."""
    standard_input = compiler_input(SOURCES)
    compiled = compile_input(standard_input)
    hashes = {
        "input_sha256": hashlib.sha256(json.dumps(standard_input, sort_keys=True).encode()).hexdigest(),
        "compiler": str(solcx.wrapper.get_solc_version(COMPILER)),
        "compiler_sha256": hashlib.sha256((NODE_MODULES / "solc" / "soljson.js").read_bytes()).hexdigest(),
    }
    return {
        name: {
            "name": name,
            **hashes,
            "abi": output["abi"],
            "errors": _errors(output["abi"]),
            "bytecode": "0x" + output["evm"]["bytecode"]["object"],
            "deployed_bytecode": "0x" + output["evm"]["deployedBytecode"]["object"],
        }
        for unit, contracts in sorted(compiled["contracts"].items())
        if unit.count("/") == 1
        for name, output in sorted(contracts.items())
        if unit == f"src/{name}.sol"
    }


def render(artifact: dict[str, Any]) -> str:
    """An artifact as the text of its file."""
    return json.dumps(artifact, indent=1) + "\n"


def compiler_input(root: Path, settings: dict[str, Any] | None = None) -> dict[str, Any]:
    """Standard JSON for every file below `root` and what they import."""
    sources = {f"src/{path.relative_to(root)}": path.read_text() for path in sorted(root.rglob("*.sol"))}
    waiting = list(sources)
    while waiting:
        unit = waiting.pop()
        for target in _IMPORT.findall(sources[unit]):
            imported = _resolve(unit, target)
            if imported not in sources:
                sources[imported] = (NODE_MODULES / imported).read_text()
                waiting.append(imported)
    return {
        "language": "Solidity",
        "sources": {unit: {"content": sources[unit]} for unit in sorted(sources)},
        "settings": settings or SETTINGS,
    }


def compile_input(standard_input: dict[str, Any], *, warnings: bool = False) -> dict[str, Any]:
    """What the compiler makes of it. A warning about our own sources is an error unless `warnings` are allowed."""
    try:
        output: dict[str, Any] = solcx.compile_standard(standard_input, solc_binary=COMPILER)
    except SolcError as fault:
        raise SystemExit(fault.message) from None
    faults = [
        fault["formattedMessage"]
        for fault in output.get("errors", [])
        if fault.get("sourceLocation", {}).get("file", "src/").startswith("src/")
    ]
    if faults and not warnings:
        raise SystemExit("\n".join(faults))
    return output


def _resolve(importer: str, target: str) -> str:
    """The source unit that `target` names in `importer`."""
    if not target.startswith("."):
        return target
    parts = importer.split("/")[:-1]
    for part in target.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _errors(abi: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The custom errors by selector, so that decoding them needs no hash function."""
    errors = {}
    for entry in abi:
        if entry["type"] == "error":
            signature = f"{entry['name']}({','.join(field['type'] for field in entry['inputs'])})"
            errors["0x" + keccak(text=signature)[:4].hex()] = {
                "name": entry["name"],
                "inputs": [{"name": field["name"], "type": field["type"]} for field in entry["inputs"]],
            }
    return dict(sorted(errors.items()))


if __name__ == "__main__":
    main()
