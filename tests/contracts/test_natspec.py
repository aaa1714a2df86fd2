"""Every external function, event and error has its words, as the compiler hands them to explorers and wallets."""

from functools import cache
from typing import Any

import pytest
from eth_utils.abi import collapse_if_tuple

from contracts import build, errors
from contracts.artifact import artifact_names
from tests.contracts.compiled import compile_cached

DOCS = {**build.SETTINGS, "outputSelection": {"*": {"*": ["abi", "userdoc", "devdoc"]}}}
LIBRARY = vars(errors.library)
PARTS = {"function": "methods", "event": "events", "error": "errors"}


@cache
def documented(name: str) -> dict[str, Any]:
    output = compile_cached(build.compiler_input(build.SOURCES, DOCS))
    found: dict[str, Any] = output["contracts"][f"src/{name}.sol"][name]
    return found


def words(contract: dict[str, Any], entry: dict[str, Any]) -> str:
    """@notice, or the @dev that the ERCs' own interfaces have."""
    signature = f"{entry['name']}({','.join(collapse_if_tuple(field) for field in entry['inputs'])})"
    found = []
    for doc in ("userdoc", "devdoc"):
        said = contract[doc].get(PARTS[entry["type"]], {}).get(signature, {})
        for one in said if isinstance(said, list) else [said]:
            found += [one.get("notice", ""), one.get("details", "")]
    variables = contract["devdoc"].get("stateVariables", {})
    found.append(variables.get(entry["name"], {}).get("details", ""))
    return " ".join(filter(None, found))


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("name", artifact_names())
def test_everything_that_can_be_called_or_seen_is_documented(name: str, kind: str) -> None:
    contract = documented(name)
    # OpenZeppelin's libraries say nothing about some errors of theirs; ours to document is what each means to a user.
    entries = [entry for entry in contract["abi"] if entry["type"] == kind and f"{entry['name']}Error" not in LIBRARY]
    assert [entry["name"] for entry in entries if not words(contract, entry)] == []


def test_parameters_are_named_wherever_there_are_several() -> None:
    nameless = [
        (name, entry["name"])
        for name in artifact_names()
        for entry in documented(name)["abi"]
        if entry["type"] in PARTS and len(entry["inputs"]) > 1
        for field in entry["inputs"]
        if not field["name"]
    ]
    assert nameless == []


def test_the_check_sees_a_function_without_words() -> None:
    contract: dict[str, Any] = {"userdoc": {}, "devdoc": {}}
    assert words(contract, {"type": "function", "name": "mute", "inputs": []}) == ""
