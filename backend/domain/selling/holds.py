"""Rules of holds: who may keep what, and when it ends."""

from collections import Counter
from dataclasses import replace

from backend.domain.selling.book import Book
from backend.domain.selling.codes import discounted, why_code_refused
from backend.domain.selling.facts import ClassFacts, KeyFacts, LineFacts, OrderFacts
from backend.domain.selling.outcomes import Again, Ended, Extended, Held, No, Outcome, Unchanged
from backend.domain.selling.requests import Expire, Extend, Hold, Key, LineWanted, Release

# WCAG 2.2.1 asks for ten extensions at least. Each is short, so that a hold of the usual ten minutes ends within the
# hour: without end, tickets could be kept from others for ever.
MAX_EXTENSIONS = 10
EXTENSION_MS = 5 * 60 * 1000  # of one; a hold that is shorter is extended by its own time
OPEN_PAYMENTS = ("started", "unknown")  # money may still come


def hold(book: Book, request: Hold) -> Outcome:
    """Keep the wanted tickets, or say what stands in the way. All lines or none."""
    known = used_before(book, request.key)
    if known:
        return known
    refusal = _not_on_sale(book) or _pass_used(book, request) or why_code_refused(book, request)
    refusal = refusal or _over_limit(book, request)
    if refusal:
        return refusal
    lines = _lines(book, request)
    if isinstance(lines, No):
        return lines
    lines = discounted(book, request, lines)
    book.use_code(request.code, 1)
    if request.owner is not None:
        book.owned[request.owner] = book.owned.get(request.owner, 0) + sum(line.quantity for line in lines)
    for line in lines:
        book.count(line.class_number, held=line.quantity, sold=0)
        book.claim(line.seats, request.order_id)
    held = Held(
        order_id=request.order_id,
        secret_hash=request.secret_hash,
        owner=request.owner,
        lines=lines,
        total_minor=sum(line.quantity * line.unit_price_minor for line in lines),
        hold_expires_ms=book.now_ms + (request.keep_ms or book.event.hold_ms),
        key=request.key,
        code=request.code,
        terms=request.terms,
    )
    if request.leave is not None:
        book.passes[request.leave] = book.changes.passes[request.leave] = request.order_id
    book.changes.held.append(held)
    book.keys[request.key.scope, request.key.digest] = KeyFacts(request.key.request_hash, request.order_id)
    book.orders[held.order_id] = OrderFacts(
        held.order_id, "held", held.owner, held.total_minor, held.hold_expires_ms, lines, code=request.code
    )
    return held


def release(book: Book, request: Release) -> Outcome:
    """The buyer's own cancellation. Not while a payment is open: its money might arrive after the tickets are gone."""
    order = book.orders.get(request.order_id)
    if order is None:
        return No("unknown_order")
    if order.state == "cancelled":
        return Unchanged()
    if order.state != "held":
        return No(STATE_REFUSALS[order.state])
    if has_open_payment(book, order):
        return No("payment_under_way")
    book.end_hold(order, "cancelled")
    return Ended(order.id, "cancelled")


def extend(book: Book, request: Extend) -> Outcome:
    """More time to pay, added to what is left, as often as `MAX_EXTENSIONS`; what has ended is not called back."""
    order = book.orders.get(request.order_id)
    if order is None:
        return No("unknown_order")
    if order.state != "held":
        return No(STATE_REFUSALS[order.state])
    if book.now_ms >= order.hold_expires_ms:
        return No("hold_expired")
    left = MAX_EXTENSIONS - order.extensions
    if request.until_ms < order.hold_expires_ms:
        return Extended(order.id, order.hold_expires_ms, left)  # asked before: it has that time already
    if left < 1:
        return No("extended_enough", {"limit": MAX_EXTENSIONS})
    until = order.hold_expires_ms + extension_ms(book.event.hold_ms)
    book.orders[order.id] = replace(order, hold_expires_ms=until, extensions=order.extensions + 1)
    book.changes.extended[order.id] = until
    return Extended(order.id, until, left - 1)


def extension_ms(hold_ms: int) -> int:
    """By how much one extension prolongs a hold."""
    return min(EXTENSION_MS, hold_ms)


def expire(book: Book, request: Expire) -> Outcome:
    """End a hold whose time has come by the database's clock; leave every other order alone."""
    order = book.orders.get(request.order_id)
    if order is None or order.state != "held" or book.now_ms < order.hold_expires_ms:
        return Unchanged()
    book.end_hold(order, "expired")
    return Ended(order.id, "expired")


STATE_REFUSALS = {  # why an order that is no longer held can't be released or paid
    "paid": "already_paid",
    "expired": "hold_expired",
    "cancelled": "order_cancelled",
    "refunded": "order_refunded",
}


def used_before(book: Book, key: Key) -> Outcome | None:
    """The first answer for a repeated key, or the refusal for a key that came with something else."""
    known = book.keys.get((key.scope, key.digest))
    if known is None:
        return None
    if known.request_hash != key.request_hash:
        return No("idempotency_key_reused")
    return Again(known.resource_id, known.body)


def has_open_payment(book: Book, order: OrderFacts) -> bool:
    return any(one.order_id == order.id and one.state in OPEN_PAYMENTS for one in book.payments.values())


def _not_on_sale(book: Book) -> No | None:
    event = book.event
    if event.state == "cancelled":
        return No("event_cancelled")
    if event.state == "over" or book.now_ms >= event.ends_ms:
        return No("event_over")
    if event.state != "on_sale" or event.custody is None or event.restored:
        return No("not_on_sale")
    return None


def _pass_used(book: Book, request: Hold) -> No | None:
    """A pass is good for one order; one that ended unpaid gives it back."""
    if request.leave is None or request.leave not in book.passes:
        return None
    return No("pass_used", {"order_id": str(book.passes[request.leave])})


def _over_limit(book: Book, request: Hold) -> No | None:
    wanted = sum(line.quantity for line in request.lines)
    if not request.given:
        refusal = _over_buyers_limit(book, request, wanted)
        if refusal is not None:
            return refusal
    if wanted < 1 or any(line.quantity < 1 for line in request.lines):
        return No("nothing_wanted")
    return None


def _over_buyers_limit(book: Book, request: Hold, wanted: int) -> No | None:
    limit = book.event.max_per_buyer
    if limit is not None and request.owner is not None:
        before = book.owned.get(request.owner, 0)
        if before + wanted > limit:
            return No("over_buyers_limit", {"limit": limit, "have": before})
    # An offer is for what somebody was let wait for; a limit lowered since must not keep it from them for ever.
    if request.keep_ms is None and wanted > book.event.max_per_order:
        return No("over_limit", {"limit": book.event.max_per_order, "wanted": wanted})
    return None


def _lines(book: Book, request: Hold) -> tuple[LineFacts, ...] | No:
    """The lines with prices and seats, as they would be held; nothing is counted yet."""
    classes: list[ClassFacts] = []
    wanted: Counter[int] = Counter()
    for line in request.lines:
        found = book.by_code.get(line.class_code)
        if found is None:
            return No("unknown_class", {"class": line.class_code})
        classes.append(found)
        wanted[found.number] += line.quantity
    for one in {found.number: found for found in classes}.values():
        left = 0 if _promised(book, one, request) else book.left(one.number)
        if left < wanted[one.number]:
            comes_back = one.sold < one.capacity
            if left <= 0:
                return No("sold_out", {"class": one.code, "may_come_back": comes_back})
            return No("too_few_left", {"class": one.code, "left": left})
    return _seat(book, request.lines, classes)


def _promised(book: Book, one: ClassFacts, request: Hold) -> bool:
    """What came back goes to the waiting list first, as long as somebody on it can use it."""
    if request.given or request.keep_ms is not None or one.least_wanted is None:
        return False
    return one.least_wanted <= book.left(one.number)


def _seat(book: Book, wanted: tuple[LineWanted, ...], classes: list[ClassFacts]) -> tuple[LineFacts, ...] | No:
    picked: dict[str, int] = {}  # label -> number, over all lines
    lines: list[LineFacts | None] = []
    for line, one in zip(wanted, classes, strict=True):
        seats = _picked(book, line, one, picked)
        if isinstance(seats, No):
            return seats
        # Best available comes last, so that it never takes a seat that another line of the order picked.
        auto = one.seated and not line.seats
        lines.append(None if auto else LineFacts(one.number, line.quantity, one.price_minor, seats))
    return _best(book, wanted, classes, lines, set(picked.values()))


def _picked(book: Book, line: LineWanted, one: ClassFacts, picked: dict[str, int]) -> tuple[int, ...] | No:
    if not line.seats:
        return ()
    if not one.seated:
        return No("class_has_no_seats", {"class": one.code})
    if len(line.seats) != line.quantity:
        return No("seats_do_not_match_quantity", {"quantity": line.quantity, "seats": len(line.seats)})
    numbers = [_numbered(book, label, one, picked) for label in line.seats]
    refused = next((number for number in numbers if isinstance(number, No)), None)
    if refused:
        return refused
    seats = tuple(number for number in numbers if isinstance(number, int))
    taken = [book.seat_label(number) for number in seats if not book.is_free(number)]
    return No("seat_taken", {"seats": taken}) if taken else seats


def _numbered(book: Book, label: str, one: ClassFacts, picked: dict[str, int]) -> int | No:
    number = book.seat_number(label)
    if number is None or book.class_of_seat(number) != one.number:
        return No("unknown_seat", {"class": one.code, "seat": label})
    if label in picked:
        return No("seat_named_twice", {"seat": label})
    picked[label] = number
    return number


def _best(
    book: Book,
    wanted: tuple[LineWanted, ...],
    classes: list[ClassFacts],
    lines: list[LineFacts | None],
    reserved: set[int],
) -> tuple[LineFacts, ...] | No:
    done: list[LineFacts] = []
    for line, one, ready in zip(wanted, classes, lines, strict=True):
        if ready is not None:
            done.append(ready)
            continue
        seats = book.best_seats(one.number, line.quantity, reserved)
        if seats is None:
            return No("seats_unknown", {"class": one.code})
        reserved.update(seats)
        done.append(LineFacts(one.number, line.quantity, one.price_minor, seats))
    return tuple(done)
