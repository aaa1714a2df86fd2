"""Compiled contracts, read from the installed package (SPEC 8.9)."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

_FOLDER = resources.files("contracts") / "artifacts"


class UnknownArtifactError(LookupError):
    """There is no contract of that name; the message lists those there are."""


@dataclass(frozen=True)
class Artifact:
    """A compiled contract. The hashes are hex SHA-256; `errors` maps a selector (0x…) to an error's name and inputs."""

    name: str
    abi: list[dict[str, Any]]
    errors: dict[str, dict[str, Any]]
    bytecode: str  # 0x…; what a deployment sends, constructor arguments to follow
    deployed_bytecode: str  # 0x…; immutables are zero in it
    input_sha256: str
    compiler: str
    compiler_sha256: str


@cache
def load_artifact(name: str) -> Artifact:
    """The artifact of a contract, e.g. `EventTickets`. Works from a checkout and from a wheel alike.

    Raises:
        UnknownArtifactError: there is no such contract.
    """
    if name not in artifact_names():
        raise UnknownArtifactError(f"no contract {name!r}; there are {', '.join(artifact_names())}")
    return Artifact(**json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8")))


@cache
def artifact_names() -> tuple[str, ...]:
    """The names of all contracts, sorted."""
    files = (entry.name for entry in _FOLDER.iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in files if name.endswith(".json")))
