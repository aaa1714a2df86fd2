"""Read what a batch needs to know, under the event's lock: two statements, whatever the batch holds.

The first locks and reads the stock. The second, whose view of the database begins after the lock is held, reads all the
rest as JSON; the two databases spell that differently, and `_Dialect` is all the difference.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, TextClause, func, select, text

from backend.db.among import among
from backend.db.clock import NOW_MS
from backend.db.roundtrip import driver_sql, round_trip
from backend.db.tables.orders import Code, Order
from backend.domain.selling.facts import (
    ClassFacts,
    CodeFacts,
    EventFacts,
    KeyFacts,
    LineFacts,
    OrderFacts,
    PaymentFacts,
)
from backend.domain.selling.requests import Hold, Key, Request, StartPayment

MAX_EXPIRED = 256  # ended holds swept at once when a buyer would otherwise be told "sold out"

_STOCK = """
SELECT c.number, c.code, c.zone, c.price_minor, c.seated, s.capacity, s.held, s.sold, e.state, e.currency,
       (SELECT min(w.quantity) FROM waiting_list w WHERE w.event_id = s.event_id AND w.class_number = s.class_number
        AND w.state = 'waiting') AS least_wanted, e.max_per_order, e.hold_seconds, e.ends_ms, e.custody_address,
       e.sale_starts_ms, e.max_per_buyer,
       EXISTS (SELECT 1 FROM platform p WHERE p.id = 1 AND p.restored IS NOT NULL) AS restored
FROM stock s
JOIN ticket_classes c ON c.event_id = s.event_id AND c.number = s.class_number
JOIN events e ON e.id = s.event_id
WHERE s.event_id = :event ORDER BY s.class_number
"""
# Statements are made once, here: building them anew took half of a batch's time.
_LOCK = {"postgresql": text(_STOCK + "FOR UPDATE OF s"), "sqlite": text(_STOCK)}


@dataclass(frozen=True, slots=True)
class Read:
    """What the second statement found. Lines of an order are in their order."""

    now_ms: int
    keys: dict[tuple[str, str], KeyFacts]
    orders: dict[UUID, OrderFacts]
    payments: dict[UUID, PaymentFacts]


def lock_event(connection: Connection, event_id: UUID) -> EventFacts | None:
    """The event and its stock, locked until the transaction ends: batches of an event take turns, in every process.

    The stock rows are the lock (in the order of their class, so that two batches never wait for each other). On SQLite
    the transaction holds the only write lock there is since its BEGIN.
    """
    name = connection.dialect.name
    return _event_of(event_id, connection.execute(_LOCK[name], {"event": _ON[name].plain(event_id)}).all())


def lock_and_read(
    connection: Connection, event_id: UUID, requests: Sequence[Request]
) -> tuple[EventFacts | None, "Read"]:
    """`lock_event` and `read_all`; on PostgreSQL in one round trip."""
    if connection.dialect.name != "postgresql":
        return lock_event(connection, event_id), read_all(connection, event_id, requests)
    dialect = connection.dialect
    with round_trip(connection) as raw:
        lock = raw.execute(driver_sql(_LOCK[dialect.name], dialect).encode(), {"event": event_id})
        facts = raw.execute(
            driver_sql(_facts_statement(dialect.name), dialect).encode(),
            _wanted(dialect.name, event_id, keys_of(requests), order_ids(requests)),
        )
    return _event_of(event_id, lock.fetchall()), _read_of(*facts.fetchall())


def read_all(connection: Connection, event_id: UUID, requests: Sequence[Request]) -> "Read":
    """What is known of whatever the requests name."""
    return read_facts(connection, event_id, keys_of(requests), order_ids(requests))


def _event_of(event_id: UUID, rows: Sequence[Sequence[Any]]) -> EventFacts | None:
    if not rows:
        return None
    (state, currency, _least_wanted, max_per_order, hold_seconds, ends_ms, custody, starts_ms, per_buyer, restored) = (
        rows[0][8:]
    )
    return EventFacts(
        id=event_id,
        state=state,
        currency=currency,
        max_per_order=max_per_order,
        hold_ms=hold_seconds * 1000,
        ends_ms=ends_ms,
        custody=custody,
        classes=tuple(
            ClassFacts(row[0], row[1], row[2], row[3], bool(row[4]), row[5], row[6], row[7], row[10]) for row in rows
        ),
        sale_starts_ms=starts_ms,
        max_per_buyer=per_buyer,
        restored=bool(restored),
    )


def read_facts(connection: Connection, event_id: UUID, keys: Collection[Key], orders: Collection[UUID]) -> Read:
    """What is known of these keys and these orders (of the event), at the database's time."""
    name = connection.dialect.name
    return _read_of(connection.execute(_facts_statement(name), _wanted(name, event_id, keys, orders)).one())


def _wanted(name: str, event_id: UUID, keys: Collection[Key], orders: Collection[UUID]) -> dict[str, Any]:
    take = _ON[name].take
    return {
        "event": take([event_id]),
        "scopes": take([key.scope for key in keys]),
        "digests": take([key.digest for key in keys]),
        "orders": take(list(orders)),
    }


def _read_of(row: Sequence[Any]) -> "Read":
    now_ms, known_keys, known_orders, known_lines, known_payments = row
    lines: dict[UUID, list[LineFacts]] = {}
    for order, _position, number, quantity, price, seats in sorted(
        _list(known_lines), key=lambda one: (one[0], one[1])
    ):
        lines.setdefault(UUID(order), []).append(LineFacts(number, quantity, price, tuple(_inner(seats))))
    return Read(
        now_ms=int(now_ms),
        keys={
            (scope, digest): KeyFacts(bytes.fromhex(hashed), UUID(resource), body)
            for scope, digest, hashed, resource, body in _list(known_keys)
        },
        orders={
            (order := UUID(one)): OrderFacts(
                order,
                state,
                bytes.fromhex(owner) if owner else None,
                total,
                expires,
                tuple(lines.get(order, ())),
                extensions,
                bytes.fromhex(code) if code else None,
            )
            for one, state, owner, total, expires, extensions, code in _list(known_orders)
        },
        payments={
            (payment := UUID(one)): PaymentFacts(payment, UUID(order), state, reference, provider)
            for one, order, state, reference, provider in _list(known_payments)
        },
    )


def key_of(request: Request) -> Key | None:
    return request.key if isinstance(request, Hold | StartPayment) else None


def keys_of(requests: Iterable[Request]) -> list[Key]:
    return [key for request in requests if (key := key_of(request))]


def order_ids(requests: Iterable[Request]) -> set[UUID]:
    """The existing orders that the requests are about."""
    return {request.order_id for request in requests if not isinstance(request, Hold)}


def expired_holds(connection: Connection, event_id: UUID, now_ms: int) -> list[UUID]:
    """Orders of the event whose hold has ended but was not swept yet."""
    query = (
        select(Order.id)
        .where(Order.state == "held", Order.hold_expires_ms <= now_ms, Order.event_id == event_id)
        .order_by(Order.hold_expires_ms)
        .limit(MAX_EXPIRED)
    )
    return list(connection.execute(query).scalars())


def read_codes(connection: Connection, event_id: UUID, hashes: Collection[bytes]) -> dict[bytes, CodeFacts]:
    """The event's codes with these hashes. Asked for only where one is used."""
    if not hashes:
        return {}
    query = select(Code).where(Code.event_id == event_id, among(connection, Code.hash, hashes))
    return {
        row.hash: CodeFacts(
            row.hash,
            row.class_number,
            row.discount_bps,
            row.presale,
            row.until_ms,
            None if row.max_uses is None else row.max_uses - row.uses,
        )
        for row in connection.execute(query)
    }


def read_owned(connection: Connection, event_id: UUID, owners: Collection[bytes]) -> dict[bytes, int]:
    """How many tickets each owner holds or has bought. Asked for only where the event limits it."""
    if not owners:
        return {}
    query = select(Order.owner, func.sum(Order.quantity)).where(
        Order.event_id == event_id, Order.state.in_(("held", "paid")), among(connection, Order.owner, owners)
    )
    return {owner: int(count) for owner, count in connection.execute(query.group_by(Order.owner)) if owner}


@dataclass(frozen=True, slots=True)
class _Dialect:
    """How a database says "all of these as a JSON list" and "one of these"."""

    gather: str  # of an array expression
    array: str
    hex: str
    among: str
    keys: str  # the table of keys, with those that are wanted: every pair of scope and key by itself

    def one_of(self, column: str, param: str, kind: str) -> str:
        return f"{column} {self.among.format(param=param, kind=kind)}"

    def plain(self, value: UUID | str) -> UUID | str:
        """A value as a parameter."""
        return value.hex if self.array == "json_array" and isinstance(value, UUID) else value

    def take(self, values: Iterable[UUID | str]) -> str | list[UUID | str]:
        """Values as one parameter."""
        if self.array == "json_array":
            return orjson.dumps([self.plain(value) for value in values]).decode()
        return list(values)


_ON = {
    "postgresql": _Dialect(
        gather="CAST(json_agg({array}) AS text)",
        array="json_build_array",
        hex="encode({column}, 'hex')",
        among="= ANY(CAST(:{param} AS {kind}[]))",
        keys="unnest(CAST(:scopes AS text[]), CAST(:digests AS text[])) AS w(one_scope, one_key) "
        "JOIN idempotency_keys ON scope = one_scope AND key = one_key",
    ),
    "sqlite": _Dialect(
        gather="json_group_array({array})",
        array="json_array",
        hex="hex({column})",
        among="IN (SELECT value FROM json_each(:{param}))",
        keys="idempotency_keys WHERE scope IN (SELECT value FROM json_each(:scopes)) "
        "AND key IN (SELECT value FROM json_each(:digests))",
    ),
}


@cache
def _facts_statement(name: str) -> TextClause:
    on = _ON[name]

    def gathered(columns: list[str], rows: str) -> str:
        array = on.gather.format(array=f"{on.array}({', '.join(columns)})")
        return f"(SELECT {array} FROM {rows})"  # noqa: S608 - names of ours

    of_orders = on.one_of("order_id", "orders", "uuid")
    parts = {
        "now_ms": NOW_MS[name],
        "keys": gathered(["scope", "key", on.hex.format(column="request_hash"), "resource_id", "body"], on.keys),
        "orders": gathered(
            [
                *("id", "state", on.hex.format(column="owner"), "total_minor", "hold_expires_ms", "extensions"),
                on.hex.format(column="code_hash"),
            ],
            # "is true", since by the index of events all of its orders would be looked at
            f"orders WHERE {on.one_of('id', 'orders', 'uuid')} AND ({on.one_of('event_id', 'event', 'uuid')}) IS TRUE",
        ),
        "lines": gathered(
            ["order_id", "position", "class_number", "quantity", "unit_price_minor", "seats"],
            f"order_lines WHERE {of_orders}",
        ),
        "payments": gathered(["id", "order_id", "state", "provider_ref", "provider"], f"payments WHERE {of_orders}"),
    }
    return text("SELECT " + ", ".join(f"{expression} AS {name}" for name, expression in parts.items()))


def _list(value: str | None) -> list[list[Any]]:
    return orjson.loads(value) if value else []


def _inner(value: Any) -> list[int]:  # noqa: ANN401 - JSON, which SQLite hands out as text
    return orjson.loads(value) if isinstance(value, str) else value or []
