"""The promises, checked after the fact from outside: database rows, the bank's book, and the chain by plain JSON-RPC.

It shares no code with the indexer: what it says of the chain comes from the chain.
"""

import json
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, func, select

from backend.db.engine import read
from backend.db.models import ChainContract, Order, OrderLine, Stock, Ticket, Token

TRANSFER_TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"  # ERC-721
RPC_SECONDS = 10


@dataclass
class Findings:
    """What broke a promise; empty is good."""

    problems: list[str] = field(default_factory=list)

    def expect(self, holds: bool, problem: str) -> None:
        if not holds:
            self.problems.append(problem)


def check_sales(engine: Engine, acknowledged: set[UUID] = frozenset()) -> Findings:  # type: ignore[assignment]
    """Sold <= capacity, stock adds up, each paid order has its tickets, acknowledged orders are stored as paid."""
    found = Findings()
    with read(engine) as connection:
        paid = set(connection.scalars(select(Order.id).where(Order.state == "paid")))
        found.expect(acknowledged <= paid, f"acknowledged but not stored as paid: {acknowledged - paid}")
        for order in connection.execute(select(Order).where(Order.state == "paid")):
            tickets = connection.scalar(select(func.count()).where(Ticket.order_id == order.id))
            found.expect(tickets == order.quantity, f"order {order.id}: {order.quantity} bought, {tickets} tickets")
        for stock in connection.execute(select(Stock)):
            sold = _sold(connection, stock.event_id, stock.class_number, "paid")
            held = _sold(connection, stock.event_id, stock.class_number, "held")
            where = f"class {stock.class_number}"
            found.expect(stock.sold == sold, f"{where}: stock says {stock.sold} sold, orders say {sold}")
            found.expect(stock.held == held, f"{where}: stock says {stock.held} held, orders say {held}")
            found.expect(stock.sold + stock.held <= stock.capacity, f"{where}: oversold")
        doubled = connection.execute(
            select(Ticket.event_id, Ticket.class_number, Ticket.seat_number)
            .where(Ticket.seat_number > 0, Ticket.state == "valid")
            .group_by(Ticket.event_id, Ticket.class_number, Ticket.seat_number)
            .having(func.count() > 1)
        ).all()
        found.expect(not doubled, f"seats sold twice: {doubled}")
    return found


def check_chain(engine: Engine, node_url: str) -> Findings:
    """Every paid ticket has exactly one token, every token such a ticket, and the index says what the chain says."""
    found = Findings()
    with read(engine) as connection:
        contracts = connection.execute(
            select(ChainContract.address, ChainContract.event_id).where(ChainContract.kind == "event")
        ).all()
        for address, event_id in contracts:
            minted, owners = _tokens_on_chain(node_url, "0x" + address.hex())
            tickets = connection.execute(select(Ticket.token_id, Ticket.owner).where(Ticket.event_id == event_id)).all()
            found.expect(all(token is not None for token, _ in tickets), "a paid ticket has no token id")
            expected = {token for token, _ in tickets if token is not None}
            found.expect(len(expected) == len(tickets), "two tickets share a token id")
            found.expect(expected <= set(minted), f"paid but not minted: {sorted(expected - set(minted))[:5]}")
            found.expect(set(minted) <= expected, f"minted but not paid: {sorted(set(minted) - expected)[:5]}")
            twice = [token for token, times in minted.items() if times != 1]
            found.expect(not twice, f"minted more than once: {twice[:5]}")
            index = dict(
                connection.execute(select(Token.token_id, Token.owner).where(Token.event_id == event_id)).all()
            )
            found.expect(index == owners, f"index and chain differ: {len(index)} and {len(owners)} tokens")
    return found


def _sold(connection: Any, event_id: UUID, class_number: int, state: str) -> int:
    query = (
        select(func.coalesce(func.sum(OrderLine.quantity), 0))
        .join(Order, Order.id == OrderLine.order_id)
        .where(Order.event_id == event_id, Order.state == state, OrderLine.class_number == class_number)
    )
    return int(connection.scalar(query))


def _tokens_on_chain(node_url: str, address: str) -> tuple[dict[int, int], dict[int, bytes]]:
    logs = rpc(
        node_url,
        "eth_getLogs",
        {"address": address, "fromBlock": "0x0", "toBlock": "latest", "topics": [TRANSFER_TOPIC]},
    )
    minted: dict[int, int] = {}
    owners: dict[int, bytes] = {}
    for log in logs:
        token = int(log["topics"][3], 16)
        if int(log["topics"][1], 16) == 0:
            minted[token] = minted.get(token, 0) + 1
        owners[token] = bytes.fromhex(log["topics"][2][-40:])
    return minted, owners


def rpc(node_url: str, method: str, *params: Any) -> Any:
    """One JSON-RPC call; `RuntimeError` with the node's error."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(node_url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=RPC_SECONDS) as answer:
        reply = json.load(answer)
    if "error" in reply:
        raise RuntimeError(f"{method}: {reply['error']}")
    return reply["result"]
