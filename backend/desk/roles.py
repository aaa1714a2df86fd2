"""Who may do what at the desk: one table, read by one pure function."""

from collections.abc import Mapping

ROLES = ("owner", "finance", "box_office", "gate_supervisor")

_EVERYBODY = ROLES
PERMISSIONS: Mapping[str, tuple[str, ...]] = {
    "work": _EVERYBODY,  # be signed in: the events, one's own account
    "see_figures": _EVERYBODY,
    "edit_events": ("owner",),
    "cancel_event": ("owner",),
    "make_codes": ("owner",),  # codes, vouchers, gifts
    "find_orders": _EVERYBODY,
    "see_buyers": ("owner", "finance", "box_office"),  # names and mail addresses
    "refund": ("owner", "finance"),
    "export": ("owner", "finance"),
    "sell": ("owner", "box_office"),
    "help_buyers": ("owner", "box_office", "gate_supervisor"),
    "manage_people": ("owner",),
    "read_audit": ("owner", "finance"),
}


def may(role: str, permission: str) -> bool:
    """Whether the role has the permission; an unknown one of either has nothing."""
    return role in PERMISSIONS.get(permission, ())
