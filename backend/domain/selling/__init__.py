"""The till's rules (design 7, SPEC 9): facts and requests in, outcomes and changes out. No clock, no database.

Requests are decided one after the other, each on what the ones before it left, so that a batch means what its requests
would mean singly. Nothing here can fail: a request that can't be granted gets a `No`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from backend.domain.selling.book import Book
from backend.domain.selling.facts import Facts
from backend.domain.selling.holds import expire, extend, hold, release
from backend.domain.selling.outcomes import Decision, Outcome
from backend.domain.selling.payments import settle, start_payment
from backend.domain.selling.requests import Expire, Extend, Hold, Release, Request, Settle, StartPayment

_RULES: dict[type, Callable[[Book, Any], Outcome]] = {
    Hold: hold,
    StartPayment: start_payment,
    Settle: settle,
    Release: release,
    Extend: extend,
    Expire: expire,
}


def decide(facts: Facts, requests: Sequence[Request], now_ms: int) -> Decision:
    """One outcome for each request, and the changes they make together. `now_ms` is the database's time."""
    book = Book(facts, now_ms)
    outcomes = [_RULES[type(request)](book, request) for request in requests]
    return Decision(outcomes, book.changes, book.orders)
