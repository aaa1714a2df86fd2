"""An owner's word that a ticket may go to somebody else: EIP-712 messages of the tickets contract (SPEC 8.5)."""

from typing import Any

from credential.typed_data import to_hex
from credential.wire import exact, uint

ADDRESS_BYTES = 20
CONTRACT_NAME = "Truestub Tickets"

_DOMAIN = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}
_FIELDS = {"tokenId": "uint256", "epoch": "uint256", "to": "address", "deadline": "uint256"}


def move_typed_data(
    chain_id: int, contract: bytes, token_id: int, epoch: int, to: bytes, deadline: int
) -> dict[str, Any]:
    """The message `Move`, whole, as `eth_signTypedData_v4` takes it. `ValueError` names a field that does not fit.

    Unlike a binding it is bound to the chain and to the event's contract (20 bytes), which checks it. `deadline` is
    Unix seconds, the last at which it counts.
    """
    return _typed_data("Move", chain_id, contract, token_id, epoch, to, deadline)


def claim_typed_data(
    chain_id: int, contract: bytes, token_id: int, epoch: int, to: bytes, deadline: int
) -> dict[str, Any]:
    """The message `Claim`, by custody for a ticket that it keeps; otherwise as `move_typed_data`."""
    return _typed_data("Claim", chain_id, contract, token_id, epoch, to, deadline)


def _typed_data(
    kind: str, chain_id: int, contract: bytes, token_id: int, epoch: int, to: bytes, deadline: int
) -> dict[str, Any]:
    domain = {
        "name": CONTRACT_NAME,
        "version": "1",
        "chainId": chain_id,
        "verifyingContract": to_hex(exact(contract, ADDRESS_BYTES, "contract")),
    }
    uint(token_id, 8, "token_id")
    uint(epoch, 8, "epoch")
    uint(deadline, 8, "deadline")
    message = {"tokenId": token_id, "epoch": epoch, "to": to_hex(exact(to, ADDRESS_BYTES, "to")), "deadline": deadline}
    return {
        "types": {"EIP712Domain": _typed(_DOMAIN), kind: _typed(_FIELDS)},
        "primaryType": kind,
        "domain": domain,
        "message": message,
    }


def _typed(fields: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "type": kind} for name, kind in fields.items()]
