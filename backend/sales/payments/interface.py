"""What a payment provider must promise, whichever it is: a card company, a bank, the sandbox.

- `payment_id` is the idempotency key: however often a charge is asked for, money is taken at most once.
- An answer may be lost although the charge took effect. So no answer is never taken for a "no": `Silent` means unknown.
- What a provider was never asked for it does not know, and `look_up` says so. A request that the provider did not
  record within `IN_FLIGHT_SECONDS` never takes effect, since our side of the connection is closed by then.
- Notifications may come late, twice, in any order, or not at all; each is signed.
- A provider with pages of its own answers a charge with "not yet" and with where the buyer pays (`Said.pay_at`). Until
  it is asked to `withdraw`, the buyer may pay there at any time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from backend.domain.selling.requests import Verdict

IN_FLIGHT_SECONDS = 60  # after this, a charge that the provider does not know never happens


AWAITING_BUYER = "awaiting_buyer"  # the reason of an `unknown`: the buyer has not paid at the provider's page yet


class Silent(Exception):  # noqa: N818 - named for what it is
    """The provider did not answer in time. What it did is unknown."""


CASH = "cash"  # the provider whose refunds are paid out by hand, at the box office


class RefundRefused(Exception):  # noqa: N818 - named for what it is
    """The provider will not send this money back, however often it is asked. `reason`: a machine word for logs."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Charge:
    """Money to take. `token` names the buyer's means of payment to the provider; we never store it.

    `back_to`: the page of ours that a provider with pages of its own sends the buyer back to.
    """

    payment_id: UUID
    amount_minor: int
    currency: str
    token: str
    back_to: str = ""


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
    pay_at: str | None = None  # the provider's page for this payment; never stored


@dataclass(frozen=True, slots=True)
class SentBack:
    """A refund that a provider took note of. `refund_id`: our name of it; the payment's id where it keeps no names."""

    payment_id: UUID
    refund_id: UUID
    amount_minor: int


@dataclass(frozen=True, slots=True)
class RefundFailed:
    """A refund that the provider had taken note of did not reach the buyer: the money is with us again."""

    payment_id: UUID
    refund_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Dispute:
    """Money of a payment that a bank took back; once `reinstated`, it is with us again.

    `name`: the provider's own, the idempotency key of both. `amount_minor` (> 0) is what moved now, in `currency`
    (ISO 4217, capitals), which need not be the payment's. `taken_minor`: of one that is reinstated, what it had taken,
    where that is told; a bank may give back less.
    """

    name: str
    amount_minor: int
    currency: str
    reinstated: bool
    taken_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Disputed:
    """A payment of ours is disputed."""

    payment_id: UUID
    dispute: Dispute


Notification = Said | RefundFailed | Disputed


class Provider(Protocol):
    """One way to pay. Methods may be called from several threads and processes."""

    name: str
    pages: str | None  # the origin of its own pages, such as https://pay.example; none: buyers stay on ours

    def charge(self, charge: Charge) -> Said:
        """Take the money, once; raises `Silent`. Refuses (`Refused`) tokens it does not know, taking nothing."""

    def look_up(self, payment_id: UUID, reference: str | None = None) -> Said | None:
        """What became of a payment; none if the provider never heard of it. Raises `Silent`.

        `reference`: the provider's own name of the payment, where it told us one.
        """

    def withdraw(self, payment_id: UUID, reference: str | None = None) -> Said | None:
        """Take no more money for this payment, as far as the provider can be told so; then as `look_up`."""

    def taken_since(self, since: float) -> Iterable[Said]:
        """Every payment that took money at `since` (Unix seconds) or later and did not give it back. Raises `Silent`.

        After a restore it names what our database no longer knows.
        """

    def sent_back_since(self, since: float) -> Iterable[SentBack]:
        """Every refund of ours that it took note of at `since` (Unix seconds) or later. Raises `Silent`.

        After a restore it names what our database no longer knows; what we do know may be among them.
        """

    def disputed_since(self, since: float) -> Iterable[Disputed]:
        """Every dispute of ours that moved money at `since` (Unix seconds) or later, the oldest first. Raises `Silent`.

        After a restore it names what our database no longer knows; what we do know may be among them.
        """

    def refund(self, payment_id: UUID, refund_id: UUID, amount_minor: int | None, reference: str | None = None) -> None:
        """Give money back (none: all that was taken), once for each `refund_id`, the idempotency key.

        Returns when the provider has taken note. Raises `Silent`, and `RefundRefused` where asking again is no use.
        """

    def read_notification(self, headers: Mapping[str, str], body: bytes, now: float) -> Notification | None:
        """Check the signature and read; raises `Refused` for what is forged, too old, or unreadable.

        None: it is genuine and says nothing that we need. Raises `Silent` if it must be sent again.
        """
