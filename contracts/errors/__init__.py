"""Revert data as typed exceptions (SPEC 8).

    try: ...
    except ContractError as refused: refused.code, refused.sentence("zh"), refused.arguments

Every custom error of the contracts has a class of its own; `decode` finds it by the selector.
"""

from functools import cache
from typing import Any

from contracts.artifact import artifact_names, load_artifact
from contracts.errors import library, market, registry, tickets
from contracts.errors.base import ContractError

__all__ = ["ContractError", "decode", "library", "market", "registry", "tickets"]

WORD = 32  # bytes an argument takes in the ABI's encoding

_ERROR_STRING = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")


def decode(data: bytes | str) -> ContractError:
    """The exception that revert data (bytes, or 0x… in hex) stands for. What is not ours becomes one that says so."""
    if isinstance(data, str):
        data = bytes.fromhex(data.removeprefix("0x"))
    if not data:
        return library.NoReasonError({})
    selector, body = data[:4], data[4:]
    if selector == _ERROR_STRING:
        return library.ForeignMessageError({"message": _string(body)})
    if selector == _PANIC:
        return library.PanicError({"panic": int.from_bytes(body[:WORD])})
    known = _errors().get(selector.hex())
    if known is None or len(body) < WORD * len(known[1]):
        return library.UnknownSelectorError({"data": "0x" + data.hex()})
    kind, inputs = known
    return kind({field["name"]: _value(field, body, index * WORD) for index, field in enumerate(inputs)})


@cache
def _errors() -> dict[str, tuple[type[ContractError], list[dict[str, str]]]]:
    """Class and inputs by selector (hex)."""
    classes = {
        name.removesuffix("Error"): kind
        for module in (tickets, market, registry, library)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, ContractError)
    }
    return {
        selector.removeprefix("0x"): (classes[error["name"]], error["inputs"])
        for artifact in map(load_artifact, artifact_names())
        for selector, error in artifact.errors.items()
    }


def _value(field: dict[str, str], body: bytes, at: int) -> Any:  # noqa: ANN401 - what the ABI holds
    word, kind = body[at : at + WORD], field["type"]
    if kind == "string":
        return _string(body, int.from_bytes(word))
    if kind == "address":
        return "0x" + word[12:].hex()
    if field["name"] == "field":
        return word.rstrip(b"\0").decode("ascii", "replace")
    if kind.startswith("bytes"):
        return "0x" + word[: int(kind[5:])].hex()
    return int.from_bytes(word)


def _string(body: bytes, start: int = WORD) -> str:
    """A string of the ABI: its length, then UTF-8."""
    length = int.from_bytes(body[start : start + WORD])
    return body[start + WORD : start + WORD + length].decode("utf-8", "replace")
