"""What a buyer's wallet is to send for an order that is paid on the chain (SPEC 9.10), from our rows."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from backend.chain.calldata import contract_class
from backend.chain.market import Wanted, approve_calldata
from backend.db.tables.chain import Chain
from backend.db.tables.chain_money import ChainCharge, ChainPrice, ChainReceipt
from backend.db.tables.orders import Order, Payment
from backend.sales.answers import rfc3339
from backend.sales.payments.chain import ChainPayments

NATIVE = bytes(20)


def offer(connection: Connection, provider: ChainPayments, payment_id: UUID) -> dict[str, Any] | None:
    """The transaction that pays, and how far it is; none for a payment that is not made on the chain."""
    row = connection.execute(
        select(ChainCharge, Chain.chain_id, ChainPrice.token, ChainPrice.units_per_minor, Order.hold_expires_ms)
        .join(Chain, Chain.id == ChainCharge.chain)
        .join(ChainPrice, ChainPrice.event_id == ChainCharge.event_id)
        .join(Payment, Payment.id == ChainCharge.payment_id)
        .join(Order, Order.id == Payment.order_id)
        .where(ChainCharge.payment_id == payment_id)
    ).one_or_none()
    if row is None:
        return None
    wanted = Wanted(row.tickets, row.class_number, row.amount_minor, provider.salt(payment_id))
    units = row.amount_minor * row.units_per_minor
    native = row.token == NATIVE
    came = select(ChainReceipt.order_ref).where(ChainReceipt.order_ref == row.order_ref)
    return {
        "chain_id": row.chain_id,
        "to": _hex(row.market),
        "data": _hex(wanted.calldata),
        "value": str(units if native else 0),
        "token": None if native else _hex(row.token),
        "units": str(units),
        "approve": None if native else {"to": _hex(row.token), "data": _hex(approve_calldata(row.market, units))},
        "order_ref": _hex(row.order_ref),
        "amount_minor": row.amount_minor,
        "pay_by": rfc3339(row.hold_expires_ms),
        "seen": row.seen_ms is not None or connection.execute(came).first() is not None,
        "uri": _uri(row.chain_id, row.market, wanted, units if native else 0),
    }


def _uri(chain_id: int, market: bytes, wanted: Wanted, value: int) -> str:
    """The same as a link that wallets open (ERC-681)."""
    fields = (
        f"address={_hex(wanted.tickets)}&uint8={contract_class(wanted.class_number)}"
        f"&uint256={wanted.amount_minor}&bytes32={_hex(wanted.salt)}"
    )
    return f"ethereum:{_hex(market)}@{chain_id}/payOrder?{fields}" + (f"&value={value}" if value else "")


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
