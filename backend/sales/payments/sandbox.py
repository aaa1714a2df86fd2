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
- `decline_then_approve`: declines, and takes the money `LATE_SECONDS` later after all.
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
from backend.sales.payments.interface import Charge, Said, Silent

TOKENS = (
    *("approve", "decline", "timeout_then_approve", "silent", "late", "double", "out_of_order"),
    *("decline_then_approve", "short", "foreign"),
)
FOREIGN_CURRENCY = "XTS"  # ISO 4217's code for tests
LATE_SECONDS = 2.0
SIGNATURE_HEADER = "Truestub-Sandbox-Signature"
SIGNATURE_SECONDS = 300  # how old a notification may be
MAX_TIME_DIGITS = 12  # of Unix seconds in a signature
_DOMAIN = b"truestub/sandbox-notification/1\0"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS charges (
    payment_id TEXT PRIMARY KEY, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, token TEXT NOT NULL,
    verdict TEXT NOT NULL, taken_at REAL, refunded_at REAL);
CREATE TABLE IF NOT EXISTS notifications (
    id INTEGER PRIMARY KEY, payment_id TEXT NOT NULL, verdict TEXT NOT NULL, due_at REAL NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0);
"""


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

    def __init__(self, path: Path, secret: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key = hmac.digest(secret, _DOMAIN, "sha256")
        self._lock = threading.Lock()
        self._book = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
        # The book outlives the death of any process; surviving a power cut is a real bank's business.
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", *_SCHEMA.split(";")):
            self._book.execute(statement)

    def close(self) -> None:
        self._book.close()

    # --- the provider's interface ---------------------------------------------------------------------------------

    def charge(self, charge: Charge) -> Said:
        if charge.token not in TOKENS:
            sentence = _("The sandbox knows these tokens: %s") % ", ".join(TOKENS)
            raise refuse("unknown_payment_token", sentence)
        if charge.token == "silent":  # noqa: S105 - a behaviour's name
            raise Silent
        self._charge_once(charge, time.time())
        if charge.token == "timeout_then_approve":  # noqa: S105 - a behaviour's name
            raise Silent
        said = self.look_up(charge.payment_id)
        if said is None:
            raise AssertionError("it was written above")
        return said

    def look_up(self, payment_id: UUID) -> Said | None:
        with self._answering():
            row = self._row(payment_id)
        if row is None:
            return None
        amount, currency, verdict, taken_at = row
        if taken_at is not None and taken_at <= time.time():
            return Said(payment_id, "succeeded", f"sandbox-{payment_id}", None, amount, currency)
        return Said(payment_id, verdict, None, "card_declined" if verdict == "declined" else None)

    def refund(self, payment_id: UUID) -> None:
        with self._answering():
            self._book.execute(
                "UPDATE charges SET refunded_at = coalesce(refunded_at, ?) WHERE payment_id = ?",
                (time.time(), str(payment_id)),
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
        with self._lock:
            rows = self._book.execute(
                "SELECT currency, sum(amount_minor) FROM charges "
                "WHERE taken_at <= ? AND refunded_at IS NULL GROUP BY currency",
                (time.time(),),
            ).fetchall()
        return dict(rows)

    def _charge_once(self, charge: Charge, now: float) -> None:
        verdict: Verdict = "unknown"
        taken_at: float | None = now
        amount, currency = charge.amount_minor, charge.currency
        letters: list[tuple[Verdict, float]] = []
        match charge.token:
            case "approve" | "timeout_then_approve":
                verdict = "succeeded"
            case "short":
                verdict, amount = "succeeded", amount - 1
            case "foreign":
                verdict, currency = "succeeded", FOREIGN_CURRENCY
            case "decline":
                verdict, taken_at = "declined", None
            case "late":
                taken_at = now + LATE_SECONDS
                letters = [("succeeded", taken_at)]
            case "double":
                verdict, letters = "succeeded", [("succeeded", now), ("succeeded", now)]
            case "out_of_order":
                verdict, letters = "succeeded", [("succeeded", now), ("unknown", now)]
            case "decline_then_approve":
                verdict, taken_at = "declined", now + LATE_SECONDS
                letters = [("succeeded", taken_at)]
        key = str(charge.payment_id)
        row = (key, amount, currency, charge.token, verdict, taken_at)
        with self._answering():
            self._book.execute("BEGIN IMMEDIATE")
            done = self._book.execute("INSERT OR IGNORE INTO charges VALUES (?, ?, ?, ?, ?, ?, NULL)", row)
            if letters and done.rowcount:
                self._book.executemany(
                    "INSERT INTO notifications (payment_id, verdict, due_at) VALUES (?, ?, ?)",
                    [(key, one, due_at) for one, due_at in letters],
                )
            self._book.execute("COMMIT")

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

    def _row(self, payment_id: UUID) -> tuple[int, str, Verdict, float | None] | None:
        found: tuple[int, str, Verdict, float | None] | None = self._book.execute(
            "SELECT amount_minor, currency, verdict, taken_at FROM charges WHERE payment_id = ?", (str(payment_id),)
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
