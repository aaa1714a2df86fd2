"""A ticket's two bits as gates are told them: what is pending in the database on top of what the chain says."""

from credential.bundle import Status

_PENDING = {
    "valid": Status.VALID,
    "refunded": Status.REVOKED,
    "revoked": Status.REVOKED,
    "suspended": Status.SUSPENDED,
}
_STRICTEST_FIRST = (Status.REVOKED, Status.REDEEMED, Status.SUSPENDED)


def bundle_status(ticket_state: str, token_status: int | None, has_entered: bool) -> Status:
    """The strictest of all words; a state we do not know is not admitted. `token_status` None: not minted yet."""
    words = {
        _PENDING.get(ticket_state, Status.SUSPENDED),
        Status(token_status or 0),
        Status.REDEEMED if has_entered else Status.VALID,
    }
    return next((status for status in _STRICTEST_FIRST if status in words), Status.VALID)
