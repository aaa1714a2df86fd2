"""The sandbox: a bank of our own for development, tests and demos, on its good and on its bad days.

It is a fake of a bank, not of the interface: it keeps its own book, in a file of its own, which survives whatever
happens to the platform and is what the money is counted by. What it does is decided by the token alone:

- `approve`, `decline`: as said, at once.
- `timeout_then_approve`: takes the money, then the answer is lost.
- `silent`: the request is lost; the bank never hears of it.
- `late`: says "not yet", takes the money `LATE_SECONDS` later, and notifies.
- `double`: takes the money and notifies twice.
- `out_of_order`: takes the money and notifies "taken", then "not yet", as if the second had been on its way longer.
- `short`: takes one minor unit less than it was asked to; `foreign`: takes the number in another currency.
- `charge_back`: takes the money, and `LATE_SECONDS` later takes it back from us, and notifies.
- `decline_then_approve`: declines, and takes the money `LATE_SECONDS` later after all.
- `no_refunds`: takes the money and refuses for good to send it back.
"""

import hashlib
import hmac
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from backend.domain.selling.requests import Verdict
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.payments.interface import Charge, Dispute, Disputed, RefundRefused, Said, SentBack, Silent

TOKENS = (
    *("approve", "decline", "timeout_then_approve", "silent", "late", "double", "out_of_order"),
    *("decline_then_approve", "short", "foreign", "charge_back", "no_refunds"),
)
FOREIGN_CURRENCY = "XTS"  # ISO 4217's code for tests
LATE_SECONDS = 2.0
SIGNATURE_HEADER = "Truestub-Sandbox-Signature"
SIGNATURE_SECONDS = 300  # how old a notification may be
MAX_TIME_DIGITS = 12  # of Unix seconds in a signature
_DOMAIN = b"truestub/sandbox-notification/1\0"

_AT_ONCE: dict[str, Verdict] = {"decline": "declined", "decline_then_approve": "declined", "late": "unknown"}
_REFUSING = ("no_refunds",)
_TAKEN_LATER = ("late", "decline_then_approve")
_LETTERS: dict[str, tuple[tuple[Verdict, bool], ...]] = {  # what is notified, and whether it is late
    "late": (("succeeded", True),),
    "double": (("succeeded", False), ("succeeded", False)),
    "out_of_order": (("succeeded", False), ("unknown", False)),
    "charge_back": (("charged_back", True),),
    "decline_then_approve": (("succeeded", True),),
}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (
    payment_id TEXT PRIMARY KEY, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, token TEXT NOT NULL,
    verdict TEXT NOT NULL, taken_at REAL, charged_back_at REAL);
CREATE TABLE IF NOT EXISTS refunds (
    refund_id TEXT PRIMARY KEY, payment_id TEXT NOT NULL, amount_minor INTEGER NOT NULL, sent_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS notifications (
    id INTEGER PRIMARY KEY, payment_id TEXT NOT NULL, verdict TEXT NOT NULL, due_at REAL NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0);
"""

_INSERT_CHARGE = (
    "INSERT OR IGNORE INTO charges (payment_id, amount_minor, currency, token, verdict, taken_at, charged_back_at) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class Letter:
    """A notification on its way."""

    id: int
    headers: dict[str, str]
    body: bytes


class _Letter(BaseModel):
    """What a notification says. Its signature was checked; a field we don't know may be new, and is left alone."""

    model_config = ConfigDict(strict=True)

    payment_id: UUID
    verdict: Verdict
    reference: str
    amount_minor: int
    currency: str


class Sandbox:
    """A provider (see `interface`) whose book is the SQLite file `path`."""

    name = "sandbox"
    pages: str | None = None

    def __init__(self, path: Path, secret: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key = hmac.digest(secret, _DOMAIN, "sha256")
        self._lock = threading.Lock()
        self._book = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
        # The book outlives the death of any process; surviving a power cut is a real bank's business.
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", *_SCHEMA.split(";")):
            self._book.execute(statement)
        columns = {row[1] for row in self._book.execute("PRAGMA table_info(charges)")}
        if "charged_back_at" not in columns:  # a book from before banks took money back
            self._book.execute("ALTER TABLE charges ADD COLUMN charged_back_at REAL")

    def close(self) -> None:
        self._book.close()

    # --- the provider's interface ---------------------------------------------------------------------------------

    def charge(self, charge: Charge) -> Said:
        if charge.token not in TOKENS:
            sentence = _("The sandbox knows these tokens: %s") % ", ".join(TOKENS)
            raise refuse("unknown_payment_token", sentence)
        if charge.token == "silent":  # noqa: S105 - a behaviour's name
            raise Silent
        said = self._charge_once(charge, time.time())
        if charge.token == "timeout_then_approve":  # noqa: S105 - a behaviour's name
            raise Silent
        said = said or self.look_up(charge.payment_id)
        if said is None:
            raise AssertionError("it was written above")
        return said

    def look_up(self, payment_id: UUID, reference: str | None = None) -> Said | None:  # noqa: ARG002 - the interface's
        with self._answering():
            row = self._row(payment_id)
        if row is None:
            return None
        return _said(payment_id, *row[:4], time.time())

    def withdraw(self, payment_id: UUID, reference: str | None = None) -> Said | None:
        return self.look_up(payment_id, reference)  # a card is asked once: there is nothing to call back

    def taken_since(self, since: float) -> list[Said]:
        with self._answering():
            rows = self._book.execute(
                "SELECT payment_id, amount_minor, currency FROM charges c "
                "WHERE taken_at >= ? AND taken_at <= ? AND amount_minor > "
                "(SELECT coalesce(sum(r.amount_minor), 0) FROM refunds r WHERE r.payment_id = c.payment_id) "
                "ORDER BY taken_at",
                (since, time.time()),
            ).fetchall()
        return [Said(UUID(name), "succeeded", f"sandbox-{name}", None, amount, money) for name, amount, money in rows]

    def sent_back_since(self, since: float) -> list[SentBack]:
        with self._answering():
            query = "SELECT payment_id, refund_id, amount_minor FROM refunds WHERE sent_at >= ? ORDER BY sent_at"
            rows = self._book.execute(query, (since,)).fetchall()
        return [SentBack(UUID(payment), UUID(refund), amount) for payment, refund, amount in rows]

    def disputed_since(self, since: float) -> list[Disputed]:
        with self._answering():
            query = (
                "SELECT payment_id, amount_minor, currency FROM charges "
                "WHERE charged_back_at >= ? AND charged_back_at <= ? ORDER BY charged_back_at"
            )
            rows = self._book.execute(query, (since, time.time())).fetchall()
        # Under the payment's own name, as its notification is booked: the whole of it, once.
        return [Disputed(UUID(one), Dispute(one, amount, money, reinstated=False)) for one, amount, money in rows]

    def refund(
        self,
        payment_id: UUID,
        refund_id: UUID,
        amount_minor: int | None,
        reference: str | None = None,  # noqa: ARG002 - the interface's
    ) -> None:
        with self._answering():
            row = self._row(payment_id)
            if row is not None and row[4] in _REFUSING:
                raise RefundRefused("account_closed")
            # Never more than was taken: a bank would refuse it.
            self._book.execute(
                "INSERT OR IGNORE INTO refunds SELECT ?, payment_id, min(coalesce(?, amount_minor), amount_minor - "
                "(SELECT coalesce(sum(r.amount_minor), 0) FROM refunds r WHERE r.payment_id = c.payment_id)), ? "
                "FROM charges c WHERE payment_id = ?",
                (str(refund_id), amount_minor, time.time(), str(payment_id)),
            )

    def read_notification(self, headers: Mapping[str, str], body: bytes, now: float) -> Said:
        self._check_signature(headers.get(SIGNATURE_HEADER, ""), body, now)
        try:
            letter = _Letter.model_validate_json(body)
        except ValidationError as error:
            raise refuse("notification_unreadable", _("The notification can't be read")) from error
        return Said(letter.payment_id, letter.verdict, letter.reference, None, letter.amount_minor, letter.currency)

    # --- the bank's other side ------------------------------------------------------------------------------------

    def due(self, now: float) -> list[Letter]:
        """Notifications that should have arrived by `now` and were not handed over yet."""
        with self._lock:
            rows = self._book.execute(
                "SELECT n.id, n.payment_id, n.verdict, c.amount_minor, c.currency FROM notifications n "
                "JOIN charges c USING (payment_id) WHERE n.delivered = 0 AND n.due_at <= ? ORDER BY n.id",
                (now,),
            ).fetchall()
        return [self._letter(row, now) for row in rows]

    def delivered(self, letter: Letter) -> None:
        """The platform has it."""
        with self._lock:
            self._book.execute("UPDATE notifications SET delivered = 1 WHERE id = ?", (letter.id,))

    def balance(self) -> dict[str, int]:
        """What was taken and not given back, by currency, in minor units: the truth that money is counted by."""
        now = time.time()
        with self._lock:
            rows = self._book.execute(
                "SELECT currency, sum(CASE WHEN charged_back_at <= ? THEN 0 ELSE amount_minor END - "
                "(SELECT coalesce(sum(r.amount_minor), 0) FROM refunds r WHERE r.payment_id = c.payment_id)) AS left "
                "FROM charges c WHERE taken_at <= ? GROUP BY currency HAVING left <> 0",
                (now, now),
            ).fetchall()
        return dict(rows)

    def _charge_once(self, charge: Charge, now: float) -> Said | None:
        """What is said of it; none if it was charged before."""
        amount, currency = charge.amount_minor, charge.currency
        match charge.token:
            case "short":
                amount -= 1
            case "foreign":
                currency = FOREIGN_CURRENCY
        later = now + LATE_SECONDS
        verdict: Verdict = _AT_ONCE.get(charge.token, "succeeded")
        taken_at = None if charge.token == "decline" else later if charge.token in _TAKEN_LATER else now  # noqa: S105
        back_at = later if charge.token == "charge_back" else None  # noqa: S105 - behaviours' names
        letters = [(one, later if waits else now) for one, waits in _LETTERS.get(charge.token, ())]
        key = str(charge.payment_id)
        row = (key, amount, currency, charge.token, verdict, taken_at, back_at)
        with self._answering():
            if letters:
                self._book.execute("BEGIN IMMEDIATE")
            is_new = self._book.execute(_INSERT_CHARGE, row).rowcount == 1
            if letters:
                if is_new:
                    self._book.executemany(
                        "INSERT INTO notifications (payment_id, verdict, due_at) VALUES (?, ?, ?)",
                        [(key, one, due_at) for one, due_at in letters],
                    )
                self._book.execute("COMMIT")
        return _said(charge.payment_id, amount, currency, verdict, taken_at, now) if is_new else None

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """The book for one request; a bank that can't read or write its book does not answer."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                if self._book.in_transaction:
                    self._book.execute("ROLLBACK")
                raise Silent from error

    def _row(self, payment_id: UUID) -> tuple[int, str, Verdict, float | None, str] | None:
        found: tuple[int, str, Verdict, float | None, str] | None = self._book.execute(
            "SELECT amount_minor, currency, verdict, taken_at, token FROM charges WHERE payment_id = ?",
            (str(payment_id),),
        ).fetchone()
        return found

    def _letter(self, row: tuple[int, str, str, int, str], now: float) -> Letter:
        number, payment_id, verdict, amount, currency = row
        body = orjson.dumps(
            {
                "payment_id": payment_id,
                "verdict": verdict,
                "reference": f"sandbox-{payment_id}",
                "amount_minor": amount,
                "currency": currency,
            }
        )
        return Letter(number, {SIGNATURE_HEADER: f"t={int(now)},v1={self._mac(int(now), body)}"}, body)

    def _mac(self, at: int, body: bytes) -> str:
        return hmac.new(self._key, b"%d." % at + body, hashlib.sha256).hexdigest()

    def _check_signature(self, header: str, body: bytes, now: float) -> None:
        at, comma, mac = header.removeprefix("t=").partition(",v1=")
        plain = comma and at.isascii() and at.isdigit() and len(at) <= MAX_TIME_DIGITS
        fresh = plain and abs(now - int(at)) <= SIGNATURE_SECONDS
        if not fresh or not hmac.compare_digest(mac.encode(), self._mac(int(at), body).encode()):
            raise refuse("notification_forged", _("The notification's signature is missing, wrong or too old"))


def _said(payment_id: UUID, amount: int, currency: str, verdict: Verdict, taken_at: float | None, now: float) -> Said:
    if taken_at is not None and taken_at <= now:
        return Said(payment_id, "succeeded", f"sandbox-{payment_id}", None, amount, currency)
    return Said(payment_id, verdict, None, "card_declined" if verdict == "declined" else None)
