"""What a transaction offers for gas (EIP-1559): pure rules, in wei per gas."""

from backend.chain.keys import Fees

TIP = 1_000_000_000  # 1 gwei: enough wherever blocks are not full
BASE_FEE_ROOM = 2  # the base fee may double six blocks long before we must bump
BUMP_PERCENT = 25  # nodes ask for at least 10 to replace a transaction
MAX_FEE = 2_000 * 1_000_000_000  # we never offer more; a stuck queue is told to the operator instead


def first_fees(base_fee: int) -> Fees:
    """Fees of a new transaction at this base fee."""
    return Fees(min(base_fee * BASE_FEE_ROOM + TIP, MAX_FEE), TIP)


def bumped_fees(last: Fees, base_fee: int) -> Fees | None:
    """Fees that replace a transaction stuck at `last`; None once the limit is reached."""
    fresh = first_fees(base_fee)
    raised = Fees(_raised(last.max_fee), _raised(last.priority_fee))
    best = Fees(max(fresh.max_fee, raised.max_fee), max(fresh.priority_fee, raised.priority_fee))
    return best if best.max_fee <= MAX_FEE and best.max_fee > last.max_fee else None


def _raised(fee: int) -> int:
    return fee + -(-fee * BUMP_PERCENT // 100)
