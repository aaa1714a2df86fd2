"""The ledger's entries: each moves an amount from one account to another, so that every sum of all is zero.

Accounts: `provider:<name>` is money that a payment provider holds for us, `sales` what tickets were bought for, `owed`
what is on its way back to buyers, `losses` what a bank took back although the ticket was used or stays good, `by_hand`
what we paid buyers whom no provider would pay. An entry's key names its cause, so that it is made once however often
the cause is told.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

SALES, OWED, LOSSES, BY_HAND = "sales", "owed", "losses", "by_hand"

Kind = Literal["sale", "stray", "refund", "paid_back", "came_back", "by_hand", "charge_back", "loss", "reinstated"]


@dataclass(frozen=True, slots=True)
class Entry:
    """`amount_minor` (> 0) of `currency` is added to the account `debit` and taken from `credit`."""

    key: str
    kind: Kind
    debit: str
    credit: str
    amount_minor: int
    currency: str
    order_id: UUID
    payment_id: UUID


def sale(provider: str, amount_minor: int, currency: str, order_id: UUID, payment_id: UUID) -> Entry:
    """Money came and bought tickets."""
    account = provider_account(provider)
    return Entry(f"taken:{payment_id}", "sale", account, SALES, amount_minor, currency, order_id, payment_id)


def stray(provider: str, amount_minor: int, currency: str, order_id: UUID, payment_id: UUID) -> Entry:
    """Money came that buys nothing: it is owed from the first moment."""
    account = provider_account(provider)
    return Entry(f"taken:{payment_id}", "stray", account, OWED, amount_minor, currency, order_id, payment_id)


def refund(refund_id: UUID, amount_minor: int, currency: str, order_id: UUID, payment_id: UUID) -> Entry:
    """Tickets were given back for money."""
    return Entry(f"refund:{refund_id}", "refund", SALES, OWED, amount_minor, currency, order_id, payment_id)


def paid_back(
    provider: str, refund_id: UUID, tries: int, amount_minor: int, currency: str, order_id: UUID, payment_id: UUID
) -> Entry:
    """The provider has sent the money back. `tries`: how often it had to be asked anew."""
    account, key = provider_account(provider), paid_back_key(refund_id, tries)
    return Entry(key, "paid_back", OWED, account, amount_minor, currency, order_id, payment_id)


def paid_back_key(refund_id: UUID, tries: int) -> str:
    return f"paid_back:{refund_id}:{tries}" if tries else f"paid_back:{refund_id}"


def came_back(
    account: str, refund_id: UUID, tries: int, amount_minor: int, currency: str, order_id: UUID, payment_id: UUID
) -> Entry:
    """What was sent did not reach the buyer: the provider holds it again, and we owe it again."""
    key = f"came_back:{refund_id}:{tries}"
    return Entry(key, "came_back", account, OWED, amount_minor, currency, order_id, payment_id)


def paid_by_hand(
    account: str, refund_id: UUID, amount_minor: int, currency: str, order_id: UUID, payment_id: UUID
) -> Entry:
    """The organiser paid the buyer, out of `account`."""
    return Entry(f"by_hand:{refund_id}", "by_hand", OWED, account, amount_minor, currency, order_id, payment_id)


def taken_back(
    cause: str, provider: str, void_minor: int, loss_minor: int, currency: str, order_id: UUID, payment_id: UUID
) -> list[Entry]:
    """A bank took money back: `void_minor` for tickets that are void now, `loss_minor` for others.

    `cause`: the payment's id, or the provider's name of the dispute, of which a payment may have several.
    """
    account = provider_account(provider)
    parts: tuple[tuple[Kind, str, int], ...] = (("charge_back", SALES, void_minor), ("loss", LOSSES, loss_minor))
    return [
        Entry(f"{kind}:{cause}", kind, debit, account, amount, currency, order_id, payment_id)
        for kind, debit, amount in parts
        if amount > 0
    ]


def taken_back_keys(cause: str) -> tuple[str, str]:
    """The keys that `taken_back` gives."""
    return f"charge_back:{cause}", f"loss:{cause}"


def reinstated(taken: Iterable[Entry], amount_minor: int) -> list[Entry]:
    """The bank gave `amount_minor` back to us, at most what was `taken`: against the losses first, then the sales."""
    found = []
    for entry in sorted(taken, key=lambda one: one.debit != LOSSES):
        part = min(amount_minor, entry.amount_minor)
        amount_minor -= part
        if part:
            moved = (part, entry.currency, entry.order_id, entry.payment_id)
            found.append(Entry(reinstated_key(entry.key), "reinstated", entry.credit, entry.debit, *moved))
    return found


def reinstated_key(taken_key: str) -> str:
    """Of the entry that takes back what was booked under `taken_key`."""
    return f"reinstated:{taken_key}"


def provider_account(provider: str) -> str:
    return f"provider:{provider}"
