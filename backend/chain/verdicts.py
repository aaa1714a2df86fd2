"""What a node means when it refuses a transaction: nodes word it differently, so words are what there is to go by."""

from enum import Enum

from backend.chain.rpc import RpcError


class Verdict(Enum):
    """What became of a transaction that was sent."""

    ACCEPTED = "accepted"  # the node has it, now or since before
    SPENT = "spent"  # its nonce is used: by an attempt of ours, which the indexer will see, or by somebody else
    UNDERPRICED = "underpriced"  # it wants a higher fee
    UNFUNDED = "unfunded"  # the account can't pay for it
    REFUSED = "refused"  # anything else; said to the operator, sent again later


# Lower-case words of anvil, Geth, Besu, Nethermind and Erigon.
_WORDS = {
    Verdict.ACCEPTED: ("already known", "already imported", "known transaction", "alreadyknown"),
    Verdict.SPENT: ("nonce too low", "nonce_too_low", "oldnonce", "nonce is too low"),
    Verdict.UNDERPRICED: (
        "underpriced",
        "less than block base fee",
        "fee cap less than",
        "below the minimum",
        "gas price too low",
        "feetoolow",
        "fee too low",
    ),
    Verdict.UNFUNDED: ("insufficient funds", "insufficient balance", "upfront cost exceeds"),
}


def verdict(answer: object) -> Verdict:
    """What the answer to `eth_sendRawTransaction`, a result or an `RpcError`, means."""
    if not isinstance(answer, RpcError):
        return Verdict.ACCEPTED
    said = answer.message.lower()
    return next((kind for kind, words in _WORDS.items() if any(word in said for word in words)), Verdict.REFUSED)
