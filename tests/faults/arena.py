"""A platform to be broken: real processes, buyers over HTTP, and what must hold afterwards."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, func, select

from backend.chain.keys import DEVELOPMENT_KEYS, RelayerKey
from backend.db.engine import make_engine, read
from backend.db.models import ChainContract, ChainJob, Incident, Order, Payment, Ticket, Token
from tests.support.bad_proxy import BadProxy
from tests.support.checker import check_chain, check_sales, rpc
from tests.support.guest import Bought, Guest
from tests.support.installation import Installation, doors_open, wait_until

EXAMPLE = Path("examples/concert.toml")
SLUG = "summer-night"
SETTLE_SECONDS = 180  # the longest pauses between tries are within this
OPEN_SECONDS = 60
ISSUER = "0x" + RelayerKey(DEVELOPMENT_KEYS["issuer"]).address.hex()


@dataclass
class Seen:
    """What a row's test saw. Seconds are from the fault, and from its end."""

    sold: int = 0
    opened_s: float | None = None
    closed_s: float | None = None
    checked: bool = False


class Arena:
    """One platform for all rows: what earlier rows left behind is part of the history that is checked."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.platform = Installation(folder, database_url)
        self.proxy = BadProxy(self.platform.node_url)
        self.platform.environ["TRUESTUB_NODE_URLS"] = self.proxy.url
        self.acknowledged: set[UUID] = set()
        self.engine: Engine = None  # type: ignore[assignment]  # made with the database

    def start(self) -> None:
        platform = self.platform
        self.start_node()
        platform.run("init")
        self.engine = make_engine(platform.database_url)
        platform.start("signer", "signer", "run")
        wait_until((platform.folder / "platform" / "signer.sock").exists, "the signer")
        file = platform.folder / "event.toml"
        file.write_text(doors_open(EXAMPLE.read_text()))
        platform.run("event", "create", str(file))
        platform.start("web")
        platform.start("work")
        wait_until(platform.web_answers, "the web server")
        self.sell(1)
        self.settle()

    def close(self) -> None:
        if self.engine is not None:
            self.engine.dispose()
        self.platform.close()
        self.proxy.close()

    # --- the node -----------------------------------------------------------------------------------------------------

    def start_node(self, load: Path | None = None) -> None:
        arguments = ("node", "start", "--port", str(self.platform.node_port))
        self.platform.start("node", *arguments, *(("--load", str(load)) if load else ()))
        wait_until(self.node_answers, "the node")

    def restart_node(self, load: Path | None = None) -> None:
        """After SIGKILL: from the state it saved last, or from another."""
        self.platform.kill("node")
        self.start_node(load)

    def node_answers(self) -> bool:
        try:
            return bool(self.rpc("eth_chainId"))
        except (OSError, RuntimeError):
            return False

    def rpc(self, method: str, *params: Any) -> Any:
        return rpc(self.platform.node_url, method, *params)

    def save(self, name: str) -> Path:
        path = self.platform.folder / name
        url = self.platform.environ["TRUESTUB_NODE_URLS"]
        self.platform.environ["TRUESTUB_NODE_URLS"] = self.platform.node_url
        try:
            self.platform.run("node", "save", str(path))
        finally:
            self.platform.environ["TRUESTUB_NODE_URLS"] = url
        return path

    def pause_process(self, name: str) -> None:
        """SIGSTOP for a process and all it started."""
        for pid in _family(self.platform.processes[name].pid):
            os.kill(pid, signal.SIGSTOP)

    def wake_process(self, name: str) -> None:
        for pid in _family(self.platform.processes[name].pid):
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def without_blocks(self) -> Iterator[None]:
        """The node takes transactions and makes no block."""
        self.rpc("evm_setIntervalMining", 0)
        try:
            yield
        finally:
            self.rpc("evm_setIntervalMining", 1)

    # --- buyers -------------------------------------------------------------------------------------------------------

    def sell(self, quantity: int, *, codes: bool = True) -> Bought:
        """Over HTTP, with a credential for each ticket: nothing of that needs the chain."""
        guest = Guest(self.platform, SLUG)
        try:
            bought = guest.buy(quantity)
            self.acknowledged.add(UUID(bought.order_id))
            if codes:
                guest.bind(bought)
        finally:
            guest.close()
        return bought

    def jobs(self, *states: str) -> int:
        with read(self.engine) as connection:
            query = (
                select(func.count()).select_from(ChainJob).where(ChainJob.kind == "mint", ChainJob.state.in_(states))
            )
            return connection.scalar(query) or 0

    def minted(self) -> bool:
        """Every ticket has its token and nothing is under way."""
        with read(self.engine) as connection:
            tickets = set(connection.scalars(select(Ticket.token_id)))
            tokens = set(connection.scalars(select(Token.token_id)))
            waiting = connection.scalar(select(func.count()).where(ChainJob.state.not_in(("included", "final"))))
        return None not in tickets and tickets == tokens and not waiting

    def settle(self) -> None:
        wait_until(self.minted, "every paid ticket to be minted", SETTLE_SECONDS)

    def event_contract(self) -> str:
        with read(self.engine) as connection:
            found = connection.scalars(select(ChainContract.address).where(ChainContract.kind == "event")).all()
        return "0x" + found[-1].hex()

    # --- incidents ----------------------------------------------------------------------------------------------------

    def open_incidents(self) -> int:
        with read(self.engine) as connection:
            mine = (Incident.kind == "fault") & Incident.closed_ms.is_(None)
            return connection.scalar(select(func.count()).select_from(Incident).where(mine)) or 0

    # --- a row --------------------------------------------------------------------------------------------------------

    def row(
        self,
        seen: Seen,
        begin: Callable[[], object],
        end: Callable[[], object],
        *,
        opens: bool = True,
        codes: bool = True,
        sold: int = 2,
    ) -> None:
        """Break, sell, wait for the incident, mend, wait until all is minted and the incident closed, check."""
        wait_until(lambda: not self.open_incidents(), "the incidents of earlier rows to close", SETTLE_SECONDS)
        begin()
        began = time.monotonic()
        try:
            self.sell(sold, codes=codes)
            seen.sold += sold
            if opens:
                wait_until(self.open_incidents, "an incident", OPEN_SECONDS)
                seen.opened_s = time.monotonic() - began
        finally:
            end()
        ended = time.monotonic()
        self.settle()
        wait_until(lambda: not self.open_incidents(), "the incident to close", SETTLE_SECONDS)
        if opens:
            seen.closed_s = time.monotonic() - ended
        self.check()
        seen.checked = True

    def check(self) -> None:
        """The promises, from outside."""
        self.settle()
        problems = check_sales(self.engine, self.acknowledged).problems
        problems += check_chain(self.engine, self.platform.node_url).problems
        with read(self.engine) as connection:
            paid = connection.scalar(select(func.coalesce(func.sum(Order.total_minor), 0)).where(Order.state == "paid"))
            taken = connection.scalar(
                select(func.coalesce(func.sum(Payment.amount_minor), 0)).where(Payment.state == "succeeded")
            )
        assert problems == []
        assert paid == taken, f"{taken} minor units were taken for tickets worth {paid}"


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(descendant for child in children for descendant in _family(int(child)))]
