"""What buyers must be mailed, as outbox rows: written in the transaction that decides it, and sent by the worker.

A receipt's row is written when the buyer leaves an address, before paying; it waits until the order is paid, or is
dropped when it never will be. So the till, which is in a hurry, writes nothing. Rows hold no address: it is looked up,
and unsealed, when the letter is sent, and who was erased meanwhile is sent nothing.
"""

from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Engine, select, update

from backend.db.clock import now_ms
from backend.db.engine import read
from backend.db.tables.orders import Order, Outbox
from backend.db.tables.privacy import PersonalField
from backend.db.upsert import insert_missing
from backend.i18n import language

RECEIPT = "order.receipt"  # waits for the payment
LETTER = "order.letter"  # can be sent
AT_ONCE = 500  # receipts looked at in one run
LOOK_MS = 4_000  # between two looks at an order that is not paid yet, at least, and
LOOK_SHARE = 4  # a part of its age
LONGEST_LOOK_MS = 60_000
RECOVER_EVERY_MS = 10 * 60 * 1000  # an address is sent one code in this time
MAX_RECOVERIES = 500  # in that time, of all addresses together: nobody may make us a sender of junk

Kind = Literal["receipt", "refund", "stray", "recover", "moved", "offer"]


def want_receipt(connection: Connection, order_id: UUID, *, anew: bool = False) -> None:
    """Have the order's buyer mailed a receipt once it is paid. `anew`: the address was corrected."""
    payload = {"kind": "receipt", "order": order_id.hex, "language": language()}
    now, key = now_ms(connection), _receipt_key(order_id)
    insert_missing(connection, Outbox, [_row(RECEIPT, key, payload, now)])
    if anew:
        again = {"topic": RECEIPT, "state": "waiting", "attempts": 0, "due_ms": now}
        connection.execute(update(Outbox).where(Outbox.key == key).values(again))


def tell_money_back(connection: Connection, kind: Literal["refund", "stray"], order_id: UUID, cause: UUID) -> None:
    """Have the buyer told that money goes back, if they left an address. `cause`: the refund, or the stray payment."""
    mine = (PersonalField.table_name == "orders", PersonalField.row_id == str(order_id))
    if (
        connection.execute(select(PersonalField.row_id).where(*mine, PersonalField.column_name == "mail")).first()
        is None
    ):
        return
    receipt = connection.scalar(select(Outbox.payload).where(Outbox.key == _receipt_key(order_id)))
    spoken = receipt["language"] if receipt else "en"
    payload = {"kind": kind, "order": order_id.hex, "cause": cause.hex, "language": spoken}
    insert_missing(connection, Outbox, [_row(LETTER, f"order.{kind}:{cause.hex}", payload, now_ms(connection))])


def tell_moved(connection: Connection, event_id: UUID, starts_ms: int) -> None:
    """Have everybody who bought and left an address told of the event's new time; once of each time."""
    now = now_ms(connection)
    paid = select(Order.id).where(Order.event_id == event_id, Order.state == "paid")
    orders = list(connection.scalars(paid))
    for at in range(0, len(orders), AT_ONCE):
        part = {str(one): one for one in orders[at : at + AT_ONCE]}
        mailed = select(PersonalField.row_id).where(
            PersonalField.table_name == "orders", PersonalField.column_name == "mail", PersonalField.row_id.in_(part)
        )
        known = [part[row_id] for row_id in connection.scalars(mailed)]
        receipts = select(Outbox.key, Outbox.payload).where(Outbox.key.in_([_receipt_key(one) for one in known]))
        spoken = {row.key: row.payload["language"] for row in connection.execute(receipts)}
        rows = []
        for order_id in known:
            told = {
                "kind": "moved",
                "order": order_id.hex,
                "cause": f"{order_id.hex}.{starts_ms}",
                "starts_ms": starts_ms,
            }
            told["language"] = spoken.get(_receipt_key(order_id), "en")
            rows.append(_row(LETTER, f"order.moved:{order_id.hex}:{starts_ms}", told, now))
        if rows:
            insert_missing(connection, Outbox, rows)


def tell_offered(connection: Connection, order_id: UUID, spoken: str) -> None:
    """Have somebody on the waiting list told that tickets are kept for them, and sent a receipt if they take them.

    `spoken`: language of the letters.
    """
    told, now = {"order": order_id.hex, "language": spoken}, now_ms(connection)
    offer = _row(LETTER, f"order.offer:{order_id.hex}", {"kind": "offer", **told}, now)
    receipt = _row(RECEIPT, _receipt_key(order_id), {"kind": "receipt", **told}, now)
    insert_missing(connection, Outbox, [offer, receipt])


def ask_recovery(connection: Connection, mark: bytes) -> None:
    """Have the owner of an address sent a code. `mark`: the address's keyed hash (backend.privacy.contacts)."""
    now = now_ms(connection)
    slot = now // RECOVER_EVERY_MS
    lately = select(Outbox.id).where(Outbox.topic == LETTER, Outbox.key.like("order.recover:%"))
    lately = lately.where(Outbox.created_ms > now - RECOVER_EVERY_MS).limit(MAX_RECOVERIES)
    if len(connection.scalars(lately).all()) >= MAX_RECOVERIES:
        return
    payload = {"kind": "recover", "mark": mark.hex(), "language": language()}
    insert_missing(connection, Outbox, [_row(LETTER, f"order.recover:{mark.hex()}:{slot}", payload, now)])


def release_receipts(engine: Engine) -> int:
    """Let the receipts of paid orders go, and drop those of orders that never will be; how many went."""
    with read(engine) as connection:
        now = now_ms(connection)
        query = select(Outbox.id, Outbox.payload, Outbox.created_ms)
        query = query.where(Outbox.topic == RECEIPT, Outbox.state == "waiting", Outbox.due_ms <= now)
        due = connection.execute(query.order_by(Outbox.due_ms).limit(AT_ONCE)).all()
        orders = {UUID(row.payload["order"]) for row in due}
        found = connection.execute(select(Order.id, Order.state).where(Order.id.in_(orders)))
        states = {row.id: row.state for row in found}
    if not due:
        return 0
    gone = 0
    with engine.begin() as connection:
        for row in due:
            state = states.get(UUID(row.payload["order"]))
            values: dict[str, Any] = {"state": "done"}
            if state == "paid":
                values, gone = {"topic": LETTER}, gone + 1
            elif state in ("held", "expired") and now - row.created_ms < 24 * 3600 * 1000:  # late money may come
                pause = min(max(LOOK_MS, (now - row.created_ms) // LOOK_SHARE), LONGEST_LOOK_MS)
                values = {"due_ms": now + pause}
            connection.execute(update(Outbox).where(Outbox.id == row.id, Outbox.state == "waiting").values(values))
    return gone


def _receipt_key(order_id: UUID) -> str:
    return f"order.receipt:{order_id.hex}"


def _row(topic: str, key: str, payload: dict[str, Any], now: int) -> dict[str, Any]:
    return {
        "topic": topic,
        "key": key,
        "payload": payload,
        "state": "waiting",
        "attempts": 0,
        "due_ms": now,
        "created_ms": now,
    }
