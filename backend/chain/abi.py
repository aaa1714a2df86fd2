"""Calls of our contracts as bytes, through web3.py's contract objects: for what is rare and has many arguments.

The one module that imports web3, and only when the first call is encoded, since the import takes a second. Mints, the
hot path, are packed by hand (`batcher`).
"""

from functools import cache
from typing import Any

from contracts import load_artifact


def creation(name: str, *arguments: object) -> bytes:
    """What a deployment of the contract sends. Addresses are bytes."""
    made = _contract(name).constructor(*(_plain(argument) for argument in arguments))
    return bytes.fromhex(made.data_in_transaction[2:])


def call(name: str, function: str, *arguments: object) -> bytes:
    """The calldata of a function of the contract. Structs are tuples, addresses and byte strings are bytes."""
    encoded = _contract(name).encode_abi(function, args=[_plain(argument) for argument in arguments])
    return bytes.fromhex(encoded[2:])


@cache
def _contract(name: str) -> Any:  # noqa: ANN401 - web3 makes these classes at run time
    from web3 import Web3  # noqa: PLC0415 - takes a second, and most processes never need it

    artifact = load_artifact(name)
    return Web3().eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)


def _plain(argument: object) -> object:
    """web3 wants addresses as text; every 20 bytes of ours are one."""
    if isinstance(argument, bytes) and len(argument) == 20:
        from eth_utils.address import to_checksum_address  # noqa: PLC0415 - comes with web3

        return to_checksum_address(argument)
    if isinstance(argument, (tuple, list)):
        return [_plain(part) for part in argument] if isinstance(argument, list) else tuple(map(_plain, argument))
    return argument
