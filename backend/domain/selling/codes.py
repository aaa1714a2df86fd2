"""Rules of presale codes and vouchers: when one is good, what it takes off. Uses are counted by orders.

A hold takes a use, and gives it back when it ends unpaid; so the last voucher is one buyer's, as the last ticket is.
"""

from dataclasses import replace

from backend.domain.selling.book import Book
from backend.domain.selling.facts import CodeFacts, LineFacts
from backend.domain.selling.outcomes import No
from backend.domain.selling.requests import Hold

BASIS_POINTS = 10_000


def why_code_refused(book: Book, request: Hold) -> No | None:
    """Why this order can't be made with its code, or without one; none if it can."""
    if request.given:
        return None
    code = book.codes.get(request.code) if request.code is not None else None
    if request.code is not None:
        if code is None:
            return No("unknown_code")
        refusal = _why_no_good(book, request, code)
        if refusal is not None:
            return refusal
    starts = book.event.sale_starts_ms
    if starts is not None and book.now_ms < starts and not (code is not None and code.presale):
        return No("presale_only", {"starts_ms": starts})
    return None


def discounted(book: Book, request: Hold, lines: tuple[LineFacts, ...]) -> tuple[LineFacts, ...]:
    """The lines at what they cost with the request's code; rounded in the buyer's favour, ticket by ticket."""
    if request.given:
        return tuple(replace(line, unit_price_minor=0) for line in lines)
    code = book.codes.get(request.code) if request.code is not None else None
    if code is None:
        return lines
    return tuple(
        replace(line, unit_price_minor=line.unit_price_minor * (BASIS_POINTS - code.discount_bps) // BASIS_POINTS)
        for line in lines
    )


def _why_no_good(book: Book, request: Hold, code: CodeFacts) -> No | None:
    if code.until_ms is not None and book.now_ms >= code.until_ms:
        return No("code_expired")
    if code.left is not None and code.left < 1:
        return No("code_used_up")
    numbers = {book.by_code[line.class_code].number for line in request.lines if line.class_code in book.by_code}
    if code.class_number is not None and numbers - {code.class_number}:
        return No("code_for_other_class")
    return None
