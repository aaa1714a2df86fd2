"""What a payment provider must promise, whichever it is: a card company, a bank, the sandbox.

- `payment_id` is the idempotency key: however often a charge is asked for, money is taken at most once.
- An answer may be lost although the charge took effect. So no answer is never taken for a "no": `Silent` means unknown.
- What a provider was never asked for it does not know, and `look_up` says so. A request that the provider did not
  record within `IN_FLIGHT_SECONDS` never takes effect, since our side of the connection is closed by then.
- Notifications may come late, twice, in any order, or not at all; each is signed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from backend.domain.selling.requests import Verdict

IN_FLIGHT_SECONDS = 60  # after this, a charge that the provider does not know never happens


class Silent(Exception):  # noqa: N818 - named for what it is
    """The provider did not answer in time. What it did is unknown."""


@dataclass(frozen=True, slots=True)
class Charge:
    """Money to take. `token` names the buyer's means of payment to the provider; we never store it."""

    payment_id: UUID
    amount_minor: int
    currency: str
    token: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a provider says of a payment. `amount_minor` and `currency` (ISO 4217, capitals) are what it took.

    Where a provider leaves them out, it is taken at its word that they are what was asked for.
    """

    payment_id: UUID
    verdict: Verdict
    reference: str | None = None
    reason: str | None = None
    amount_minor: int | None = None
    currency: str | None = None


class Provider(Protocol):
    """One way to pay. Methods may be called from several threads and processes."""

    name: str

    def charge(self, charge: Charge) -> Said:
        """Take the money, once; raises `Silent`. Refuses (`Refused`) tokens it does not know, taking nothing."""

    def look_up(self, payment_id: UUID) -> Said | None:
        """What became of a payment; none if the provider never heard of it. Raises `Silent`."""

    def taken_since(self, since: float) -> Iterable[Said]:
        """Every payment that took money at `since` (Unix seconds) or later and did not give it back. Raises `Silent`.

        After a restore it names what our database no longer knows.
        """

    def refund(self, payment_id: UUID, refund_id: UUID, amount_minor: int | None) -> None:
        """Give money back (none: all that was taken), once for each `refund_id`, the idempotency key.

        Returns when the provider has taken note. Raises `Silent`.
        """

    def read_notification(self, headers: Mapping[str, str], body: bytes, now: float) -> Said:
        """Check the signature and read; raises `Refused` for what is forged, too old, or unreadable."""
