"""Cash as a payment provider: what the box office says is so. Only the desk can make the token that it takes.

A charge is the cashier's word that the money is in the till, so it is never unknown: a payment that was cut short is
asked for again by the same form, or never was. Refunds are paid out by hand; the desk says how much.
"""

import hmac
from collections.abc import Mapping
from uuid import UUID

from backend.errors import refuse
from backend.i18n import gettext as _
from backend.privacy.sealing import derived_key
from backend.sales.payments.interface import CASH, Charge, Disputed, Said, SentBack

NAME = CASH


class Cash:
    """See `backend.sales.payments.interface.Provider`."""

    name = NAME
    pages: str | None = None

    def __init__(self, secret: bytes) -> None:
        self._token = cash_token(secret)

    def charge(self, charge: Charge) -> Said:
        """Taken, if it is the desk that says so."""
        if not hmac.compare_digest(charge.token.encode(), self._token.encode()):
            raise refuse("unknown_payment_token", _("Cash is taken at the box office only"))
        reference = f"cash-{charge.payment_id}"
        return Said(charge.payment_id, "succeeded", reference, None, charge.amount_minor, charge.currency)

    def look_up(self, payment_id: UUID, reference: str | None = None) -> Said | None:  # noqa: ARG002 - the interface's
        """Nothing is known here: what was taken was settled at once."""
        return None

    def withdraw(self, payment_id: UUID, reference: str | None = None) -> Said | None:  # noqa: ARG002 - the interface's
        """There is nothing to withdraw."""
        return None

    def taken_since(self, since: float) -> list[Said]:  # noqa: ARG002 - our own rows are its only book
        return []

    def sent_back_since(self, since: float) -> list[SentBack]:  # noqa: ARG002 - our own rows are its only book
        return []

    def disputed_since(self, since: float) -> list[Disputed]:  # noqa: ARG002 - there is no bank that could take it back
        return []

    def refund(self, payment_id: UUID, refund_id: UUID, amount_minor: int | None, reference: str | None = None) -> None:
        """Paid out by hand; there is nobody to tell."""

    def read_notification(self, headers: Mapping[str, str], body: bytes, now: float) -> Said:  # noqa: ARG002 - the interface's
        """Cash sends no letters."""
        raise refuse("notification_forged", _("There are no notifications of cash"))


def cash_token(secret: bytes) -> str:
    """What the desk pays with. It leaves no process."""
    return derived_key(secret, "cash").hex()
