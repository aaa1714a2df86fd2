"""Ask the node what a job would do before a nonce is spent on it: a job that would revert waits, the others go on."""

from collections.abc import Sequence

from backend.chain.rpc import Call, Node, RpcError
from contracts.errors import decode


def simulate(node: Node, sender: bytes, calls: Sequence[tuple[bytes | None, bytes, int]]) -> list[str | None]:
    """For each call (to, calldata, gas limit) sent by `sender`: None if it would succeed now, else why not.

    The reason is a contract error's code, or the node's own words. Raises `NodeUnreachable`.
    """
    batch = [Call("eth_call", (_transaction(sender, *call), "latest")) for call in calls]
    return [_reason(answer) for answer in node.batch(batch)]


def _transaction(sender: bytes, to_address: bytes | None, calldata: bytes, gas_limit: int) -> dict[str, str]:
    said = {"from": "0x" + sender.hex(), "data": "0x" + calldata.hex(), "gas": hex(gas_limit)}
    return said if to_address is None else {**said, "to": "0x" + to_address.hex()}


def _reason(answer: object) -> str | None:
    if not isinstance(answer, RpcError):
        return None
    if isinstance(answer.data, str) and answer.data.startswith("0x"):
        return decode(answer.data).code
    return answer.message[:200]
