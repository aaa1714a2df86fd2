"""The provider for what costs nothing: approves an amount of 0 and refuses every other."""

from collections.abc import Mapping
from uuid import UUID

from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.payments.interface import Charge, Disputed, Said, SentBack

TOKEN = "free"  # noqa: S105 - a word


class Free:
    """A provider (see `interface`) that never moves money, so it can forget everything."""

    name = "free"
    pages: str | None = None

    def charge(self, charge: Charge) -> Said:
        if charge.amount_minor != 0 or charge.token != TOKEN:
            raise refuse("payment_needed", _("This order costs money; choose another way to pay"))
        return Said(charge.payment_id, "succeeded", f"free-{charge.payment_id}", None, 0, charge.currency)

    def look_up(self, payment_id: UUID, reference: str | None = None) -> Said | None:  # noqa: ARG002 - the interface's
        # Nothing was taken, so asking again is harmless: the reconciler ends what was cut short.
        return None

    def withdraw(self, payment_id: UUID, reference: str | None = None) -> Said | None:  # noqa: ARG002 - the interface's
        return None

    def taken_since(self, since: float) -> list[Said]:  # noqa: ARG002 - our own rows are its only book
        return []

    def sent_back_since(self, since: float) -> list[SentBack]:  # noqa: ARG002 - our own rows are its only book
        return []

    def disputed_since(self, since: float) -> list[Disputed]:  # noqa: ARG002 - there is no bank that could take it back
        return []

    def refund(self, payment_id: UUID, refund_id: UUID, amount_minor: int | None, reference: str | None = None) -> None:
        """Nothing was taken."""

    def read_notification(self, headers: Mapping[str, str], body: bytes, now: float) -> Said:  # noqa: ARG002 - the interface's
        raise refuse("notification_forged", _("The notification's signature is missing, wrong or too old"))
