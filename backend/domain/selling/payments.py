"""Rules of money: when it may be asked for, and what it buys when it comes, however late or often."""

from backend.domain import ledger
from backend.domain.selling.book import Book
from backend.domain.selling.facts import KeyFacts, OrderFacts, PaymentFacts
from backend.domain.selling.holds import OPEN_PAYMENTS, STATE_REFUSALS, has_open_payment, used_before
from backend.domain.selling.outcomes import MoneyBack, No, Noted, Outcome, Paid, Started, Unchanged
from backend.domain.selling.requests import Settle, StartPayment


def start_payment(book: Book, request: StartPayment) -> Outcome:
    """Allow one payment at a time, for an order that is held and whose time has not run out."""
    known = used_before(book, request.key)
    if known:
        return known
    order = book.orders.get(request.order_id)
    if order is None:
        return No("unknown_order")
    refusal = _not_payable(book, order) or _over_buyers_limit(book, order, request)
    if refusal is not None:
        return refusal
    started = Started(
        request.payment_id, order.id, request.provider, order.total_minor, book.event.currency, request.key
    )
    book.changes.started.append(started)
    book.payments[request.payment_id] = PaymentFacts(request.payment_id, order.id, "started", provider=request.provider)
    book.keys[request.key.scope, request.key.digest] = KeyFacts(request.key.request_hash, request.payment_id)
    return started


def _not_payable(book: Book, order: OrderFacts) -> No | None:
    if book.event.restored:
        return No("not_on_sale")  # the place may have been sold to somebody else since
    if order.state != "held":
        return No(STATE_REFUSALS[order.state])
    if book.now_ms >= order.hold_expires_ms:
        return No("hold_expired")
    return No("payment_under_way") if has_open_payment(book, order) else None


def _over_buyers_limit(book: Book, order: OrderFacts, request: StartPayment) -> No | None:
    """A guest is known by what is left when paying; a wallet was counted when it ordered."""
    limit = book.event.max_per_buyer
    if limit is None or request.marks is None or order.owner is not None:
        return None
    if not request.marks:
        return No("buyer_unknown", {"limit": limit})
    wanted = sum(line.quantity for line in order.lines)
    for mark in request.marks:
        orders = book.marked.setdefault(mark, {})
        have = sum(count for one, count in orders.items() if one != order.id)
        if have + wanted > limit:
            return No("over_buyers_limit", {"limit": limit, "have": have})
        orders[order.id] = wanted
        book.changes.marks.add((order.id, mark))
    return None


def settle(book: Book, request: Settle) -> Outcome:
    """Take note of what the provider said. Only money that came moves an order; it is never kept without a ticket."""
    payment = book.payments.get(request.payment_id)
    order = book.orders.get(request.order_id)
    if payment is None or order is None or payment.order_id != order.id:
        return No("unknown_payment")
    if request.verdict == "succeeded":
        return _money_came(book, order, payment, request)
    known = payment.state == request.verdict and (request.reference is None or payment.reference is not None)
    if payment.state not in OPEN_PAYMENTS or known:
        return Unchanged()  # said before, or overtaken by better news
    book.set_payment(payment, request.verdict, request.reference, request.reason)
    return Noted(payment.id, request.verdict)


def _money_came(book: Book, order: OrderFacts, payment: PaymentFacts, request: Settle) -> Outcome:
    if payment.state not in (*OPEN_PAYMENTS, "declined"):
        return Unchanged()  # its ticket was given, or its refund is on the way
    why = _other_money(book, order, request) or _why_no_ticket(book, order)
    if why is not None:
        book.set_payment(payment, "refunding", request.reference, why)
        back = MoneyBack(order.id, payment.id, why)
        book.changes.refunds.append(back)
        # What the provider says it took is what goes back; it is the order's amount unless it says otherwise.
        amount = order.total_minor if request.amount_minor is None else request.amount_minor
        if amount > 0:
            currency = request.currency or book.event.currency
            book.changes.ledger.append(ledger.stray(payment.provider, amount, currency, order.id, payment.id))
        return back
    late = order.state != "held"
    for line in order.lines:
        book.count(line.class_number, held=0 if late else -line.quantity, sold=line.quantity)
        if late:
            book.claim(line.seats, order.id)
    if late:
        book.use_code(order.code, 1)
    custody = book.event.custody
    if custody is None:
        raise AssertionError("nothing is held before the event has its custody address")
    book.set_payment(payment, "succeeded", request.reference)
    book.set_order(order, "paid")
    book.add_tickets(order, custody)
    if order.total_minor > 0:
        book.changes.ledger.append(
            ledger.sale(payment.provider, order.total_minor, book.event.currency, order.id, payment.id)
        )
    return Paid(order.id, payment.id, late)


def _other_money(book: Book, order: OrderFacts, request: Settle) -> str | None:
    """Money that is not what was asked for buys nothing: less would be a gift to the buyer, more one to us."""
    if request.currency is not None and request.currency != book.event.currency:
        return "another_currency"
    if request.amount_minor is not None and request.amount_minor != order.total_minor:
        return "another_amount"
    return None


def _why_no_ticket(book: Book, order: OrderFacts) -> str | None:
    if book.event.state == "cancelled":
        return "event_cancelled"
    if order.state == "held":
        return None
    if order.state in ("paid", "refunded"):
        return "paid_twice"
    if order.state == "cancelled":
        return "order_cancelled"
    needed: dict[int, int] = {}
    for line in order.lines:
        needed[line.class_number] = needed.get(line.class_number, 0) + line.quantity
    room = all(book.left(number) >= count for number, count in needed.items())
    seats = all(book.is_free(seat) for line in order.lines for seat in line.seats)
    code = book.codes.get(order.code) if order.code is not None else None
    used_up = code is not None and code.left is not None and code.left < 1
    return None if room and seats and not used_up else "no_room"
