"""The promises, checked after the fact from outside: `backend.ops.check`, and the chain by plain JSON-RPC."""

import json
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select

from backend.db.engine import read
from backend.db.tables.orders import Order
from backend.ops import check

TRANSFER_TOPIC = check.TRANSFER_TOPIC
RPC_SECONDS = 10


@dataclass
class Findings:
    """What broke a promise; empty is good."""

    problems: list[str] = field(default_factory=list)


def check_sales(engine: Engine, acknowledged: set[UUID] = frozenset()) -> Findings:  # type: ignore[assignment]
    """What rows can show, and that orders which were acknowledged are stored as paid."""
    with read(engine) as connection:
        found = Findings(list(check.check_rows(connection).problems))
        paid = set(connection.scalars(select(Order.id).where(Order.state == "paid")))
    if not acknowledged <= paid:
        found.problems.append(f"acknowledged but not stored as paid: {acknowledged - paid}")
    return found


def check_chain(engine: Engine, node_url: str) -> Findings:
    """Every paid ticket has exactly one token, every token such a ticket, and the index says what the chain says."""

    def logs_of(address: str) -> list[dict[str, Any]]:
        wanted = {"address": address, "fromBlock": "0x0", "toBlock": "latest", "topics": [TRANSFER_TOPIC]}
        return list(rpc(node_url, "eth_getLogs", wanted))

    with read(engine) as connection:
        return Findings(list(check.check_chain(connection, logs_of).problems))


def rpc(node_url: str, method: str, *params: Any) -> Any:
    """One JSON-RPC call; `RuntimeError` with the node's error."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(node_url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=RPC_SECONDS) as answer:
        reply = json.load(answer)
    if "error" in reply:
        raise RuntimeError(f"{method}: {reply['error']}")
    return reply["result"]
