"""What a ticket is worth: what is pending in the database on top of what the chain says (design 3).

Gates are told two bits (`bundle_status`), people a word (`effective_state`).
"""

from credential.bundle import Status

_PENDING = {
    "valid": Status.VALID,
    "refunded": Status.REVOKED,
    "revoked": Status.REVOKED,
    "suspended": Status.SUSPENDED,
}
_STOPPED = {Status.REVOKED: "revoked", Status.SUSPENDED: "suspended"}
_STRICTEST_FIRST = (Status.REVOKED, Status.REDEEMED, Status.SUSPENDED)


def bundle_status(ticket_state: str, token_status: int | None, has_entered: bool) -> Status:
    """The strictest of all words; a state we do not know is not admitted. `token_status` None: not minted yet."""
    words = {
        _PENDING.get(ticket_state, Status.SUSPENDED),
        Status(token_status or 0),
        Status.REDEEMED if has_entered else Status.VALID,
    }
    return next((status for status in _STRICTEST_FIRST if status in words), Status.VALID)


def effective_state(ticket_state: str, token_status: int | None) -> str:
    """The database's word, unless the chain stopped a ticket that is good there. A used ticket is still a good one."""
    if ticket_state not in ("valid", "suspended"):
        return ticket_state
    return stopped_on_chain(token_status) or ticket_state


def stopped_on_chain(token_status: int | None) -> str | None:
    """`revoked` or `suspended` where the chain says so, whoever told it."""
    return _STOPPED.get(Status(token_status or 0))
