"""Every table of the platform, a module for each subject; importing one imports all, so that references resolve."""

from backend.db.tables import (
    base,
    buyers,
    chain,
    chain_money,
    classes,
    credentials,
    desk,
    drains,
    events,
    moves,
    orders,
    payments,
    privacy,
    restores,
    telling,
    upkeep,
)

__all__ = [
    "base",
    "buyers",
    "chain",
    "chain_money",
    "classes",
    "credentials",
    "desk",
    "drains",
    "events",
    "moves",
    "orders",
    "payments",
    "privacy",
    "restores",
    "telling",
    "upkeep",
]
