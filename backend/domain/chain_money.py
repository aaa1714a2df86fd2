"""Rules of payments on the chain (SPEC 9.10). Pure: the chain's word, the clock and the rows come in from outside."""

from typing import Literal

DAY_MS = 86_400_000
KEEP_SEEN_MS = 1_800_000  # how long a hold outlives its time while its payment is in a block that is not final
RELEASE_AFTER_MS = 25 * DAY_MS  # the payer may take the money back after 30 days (SPEC 8.7)

Fate = Literal["succeeded", "unknown", "declined"]


def fate(*, came: bool, seen: bool, pay_by_ms: int, final_time_ms: int) -> Fate:
    """What is known of a payment. Only the chain's own time proves that nothing came; a node's silence does not.

    `came`: it is in a final block; `seen`: in one that may still be reorganised away. `final_time_ms`: the time of the
    newest final block.
    """
    if came:
        return "succeeded"
    return "declined" if not seen and final_time_ms > pay_by_ms else "unknown"


def why_not_back(receipt_state: str, *, amount_minor: int, whole_minor: int) -> str | None:
    """Why the contract can't give this much back; a machine code, or None if it can."""
    if receipt_state in ("releasing", "released"):
        return "refund_after_release"
    return None if amount_minor == whole_minor else "refund_whole_only"


def may_release(*, event_state: str, doors_ms: int, paid_ms: int, now_ms: int) -> bool:
    """Whether the organiser may have an order's money: from the doors on, and before the payer may take it back."""
    return event_state != "cancelled" and (now_ms >= doors_ms or now_ms >= paid_ms + RELEASE_AFTER_MS)
