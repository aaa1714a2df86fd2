"""A platform to be broken: real processes, buyers over HTTP, and what must hold afterwards."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from sqlalchemy import Engine, func, select

from backend.chain.keys import DEVELOPMENT_KEYS, RelayerKey
from backend.db.engine import make_engine, read
from backend.db.tables.chain import ChainContract, ChainJob, Token
from backend.db.tables.orders import Ticket
from backend.notices.kept import KEPT_FILE
from backend.ops.estimate import FEW_SECONDS
from backend.wiring import BANK_FILE
from tests.faults import history, holds
from tests.faults.load import Crowd, Reader, Subscriber
from tests.support import processes
from tests.support.bad_proxy import BadProxy
from tests.support.checker import rpc
from tests.support.guest import Bought, Guest
from tests.support.installation import Installation, wait_until
from tests.support.replicated import Pair

EXAMPLE = Path("examples/concert.toml")
SLUG = "summer-night"
CAPACITY = 20_000
SETTLE_SECONDS = 600  # a deadline for what hangs: the machine may be slow, and pauses between tries long
SHOWN_SECONDS = 10  # from the fault to the public status
TOLD_SECONDS = 60  # from the fault to subscribers
GIVE_UP_SECONDS = 120  # on either, so that a late one is told with its time
DISK_MIB = 512  # of the data folder's own file system; above what counts as low
START_SECONDS = 300  # until a process of ours answers
PATIENCE_SECONDS = 600  # of a buyer
PAUSE_SECONDS = 120  # until a process was stopped that holds nothing
ISSUER = "0x" + RelayerKey(DEVELOPMENT_KEYS["issuer"]).address.hex()
ARGUMENTS = {"signer": ("signer", "run"), "web": ("web",), "work": ("work",)}


@dataclass
class Seen:
    """What a row's test saw. Seconds are from the fault; `closed_s` and `back_s` from its end."""

    sold: int = 0
    incident: str = ""  # component and cause, as it was written
    opened_s: float | None = None
    told_s: float | None = None  # a subscriber's webhook
    eta: str = ""  # the estimate when what waited began to be minted, and how long it took
    took_s: float | None = None
    back_s: float | None = None  # until an order was acknowledged again
    closed_s: float | None = None
    checked: bool = False


class Arena:
    """One platform for all rows: what earlier rows left behind is part of the history that is checked."""

    def __init__(self, folder: Path, database: str) -> None:
        self.pair = Pair() if database == "postgresql" else None
        url = self.pair.url(self.pair.primary.create_database().rpartition("/")[2]) if self.pair else ""
        self.platform = Installation(folder, url)
        self.data = folder / "platform"
        self.bank = self.data / BANK_FILE
        self._mount()
        self.proxy, self.subscriber = BadProxy(self.platform.node_url), Subscriber()
        self.platform.environ["TRUESTUB_NODE_URLS"] = self.proxy.url
        self.acknowledged: set[UUID] = set()
        self.given: dict[int, bytes] = {}  # token -> whose it is
        self.engine: Engine = None  # type: ignore[assignment]  # made with the database

    def start(self) -> None:
        platform = self.platform
        self.start_node()
        platform.run("init")
        self.engine = make_engine(platform.database_url)
        self.start_process("signer")
        file = platform.folder / "event.toml"
        file.write_text(EXAMPLE.read_text().replace("capacity = 500 ", f"capacity = {CAPACITY} "))
        platform.run("event", "create", str(file))
        self.start_process("work")
        self.start_process("web")
        self._subscribe()
        self.sell(2)
        self.settle()

    def close(self) -> None:
        if self.engine is not None:
            self.engine.dispose()
        self.platform.close()
        self.proxy.close()
        self.subscriber.close()
        if self.pair:
            self.pair.close()
        subprocess.run(["umount", "--lazy", str(self.data)], check=False, capture_output=True)

    # --- processes ----------------------------------------------------------------------------------------------------

    def start_process(self, name: str) -> None:
        self.platform.start(name, *ARGUMENTS[name])
        if name == "web":
            wait_until(self.platform.web_answers, "the web server", START_SECONDS)
        elif name == "signer":
            wait_until((self.data / "signer.sock").exists, "the signer", START_SECONDS)

    def restart_processes(self, **environ: str | None) -> None:
        """All of ours anew, by SIGKILL; `environ` is set, or unset where it is none."""
        for name, value in environ.items():
            if value is None:
                self.platform.environ.pop(name, None)
            else:
                self.platform.environ[name] = value
        for name in ARGUMENTS:
            self.platform.kill(name)
            self.start_process(name)

    def pause_process(self, name: str) -> None:
        """SIGSTOP for a process and all it started; one of ours holds nothing then that others wait for.

        What one gets who is stopped in the middle of a write is a row of its own.
        """
        deadline = time.monotonic() + PAUSE_SECONDS
        processes.stop(self.platform.processes[name].pid)
        while name in ARGUMENTS and (held := holds.held(self.engine, self.bank)):
            assert time.monotonic() < deadline, f"{name} holds {held} whenever it is stopped"
            self.wake_process(name)
            time.sleep(0.1)  # to another moment
            processes.stop(self.platform.processes[name].pid)

    def wake_process(self, name: str) -> None:
        processes.wake(self.platform.processes[name].pid)

    # --- the node -----------------------------------------------------------------------------------------------------

    def start_node(self, load: Path | None = None) -> None:
        arguments = ("node", "start", "--port", str(self.platform.node_port))
        self.platform.start("node", *arguments, *(("--load", str(load)) if load else ()))
        wait_until(self.node_answers, "the node", START_SECONDS)

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

    @contextmanager
    def without_blocks(self) -> Iterator[None]:
        """The node takes transactions and makes no block."""
        self.make_blocks(0)
        try:
            yield
        finally:
            self.make_blocks(1)

    def make_blocks(self, seconds: int) -> None:
        """A block every so many seconds; 0: none."""
        self.rpc("evm_setIntervalMining", seconds)

    # --- buyers -------------------------------------------------------------------------------------------------------

    def sell(self, quantity: int, *, codes: bool = True) -> Bought:
        """Over HTTP, with a credential for each ticket. Of two or more one is given back, and one besides given away.

        Nothing of that needs the chain.
        """
        guest = Guest(self.platform, SLUG, PATIENCE_SECONDS)
        try:
            bought = guest.buy(quantity)
            self.acknowledged.add(UUID(bought.order_id))
            if codes:
                guest.bind(bought)
            if quantity > 1:
                guest.give_back(bought)
                given = guest.give_away()
                self.acknowledged.add(UUID(given.order_id))
                self.given[given.token_id] = given.to
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
        """Every ticket has its token."""
        with read(self.engine) as connection:
            tickets = set(connection.scalars(select(Ticket.token_id)))
            return None not in tickets and tickets == set(connection.scalars(select(Token.token_id)))

    def settle(self) -> None:
        wait_until(lambda: history.is_settled(self.engine), "everything to be minted and paid back", SETTLE_SECONDS)

    def event_contract(self) -> str:
        with read(self.engine) as connection:
            found = connection.scalars(select(ChainContract.address).where(ChainContract.kind == "event")).all()
        return "0x" + found[-1].hex()

    # --- incidents, as everybody sees them ----------------------------------------------------------------------------

    def incidents(self) -> list[dict[str, Any]]:
        """Faults that the status tells of now."""
        try:
            told = httpx.get(f"{self.platform.url}/api/v1/status", timeout=10).json()
        except (httpx.HTTPError, ValueError):
            return []
        return [one for one in told.get("incidents", []) if one["kind"] == "fault"]

    def told_state(self) -> str:
        """What the status says of the whole: works, partly, down; empty if it says nothing."""
        try:
            return str(httpx.get(f"{self.platform.url}/api/v1/status", timeout=10).json()["state"])
        except (httpx.HTTPError, ValueError, KeyError):
            return ""

    def wait_calm(self) -> None:
        """Until no incident is open, and the status answers."""
        quiet = lambda: self.platform.web_answers() and not self.incidents()  # noqa: E731 - said once
        wait_until(quiet, "every incident to close", SETTLE_SECONDS)

    # --- a row --------------------------------------------------------------------------------------------------------

    def row(
        self,
        seen: Seen,
        begin: Callable[[], object],
        end: Callable[[], object],
        *,
        opens: bool | None = True,  # none: it may or may not
        codes: bool = True,
        sells: bool = True,  # tickets can be sold while it lasts
        quantity: int = 2,  # tickets of the sale that is made for certain
        crowd: bool = False,  # buyers go on buying all the time
        meanwhile: Callable[[], object] = lambda: None,
        fair: bool = True,  # the first estimate must come true; else the row judges what it hears itself
    ) -> None:
        """Break, sell, wait for the incident, mend, wait until all is minted and the incident closed, check."""
        self.wait_calm()
        before = history.last_incident(self.engine)
        buyers = Crowd(self.platform, SLUG, self.acknowledged) if crowd else None
        try:
            if buyers:
                wait_until(lambda: buyers.sold >= 3, "the first orders")
            promised = self._break(
                seen, begin, end, opens=opens, codes=codes, quantity=quantity if sells else 0, meanwhile=meanwhile
            )
            ended = time.monotonic()
            if buyers:
                wait_until(lambda: buyers.last_at > ended, "an order to be acknowledged again")
                seen.back_s = buyers.last_at - ended
        finally:
            if buyers:
                buyers.stop()
                seen.sold += buyers.sold
        assert buyers is None or buyers.odd == []
        self._recover(seen, ended, promised, fair=fair)
        if opens:
            seen.closed_s = time.monotonic() - ended
            assert (seen.opened_s or 0) <= SHOWN_SECONDS, f"shown after {seen.opened_s} s"
            assert (seen.told_s or 0) <= TOLD_SECONDS, f"a subscriber was told after {seen.told_s} s"
        wait_until(partial(self._all_closed, before), "every incident to close", SETTLE_SECONDS)
        written = history.incidents_after(self.engine, before)
        seen.incident = ", ".join(dict.fromkeys(f"{one.component} ({one.cause})" for one in written))
        assert written or not opens, "no incident was written"
        self._read_reports([one.id for one in written])
        self.check()
        seen.checked = True

    def _all_closed(self, before: int) -> bool:
        return all(one.closed_ms is not None for one in history.incidents_after(self.engine, before))

    def check(self) -> None:
        """The promises, from outside."""
        self.settle()
        found = history.problems(self.engine, self.platform.node_url, self.bank, self.acknowledged, self.given)
        assert found == [], found

    def _break(
        self,
        seen: Seen,
        begin: Callable[[], object],
        end: Callable[[], object],
        *,
        opens: bool | None,
        codes: bool,
        quantity: int,
        meanwhile: Callable[[], object],
    ) -> int | None:
        """The seconds that were promised for after the fault, just before it ends; 0: a few, none: nothing was."""
        began = time.monotonic()
        reader = Reader(self.incidents)
        try:
            begin()
        except BaseException:
            reader.stop()
            with suppress(Exception):
                end()  # the next row shall not find what this one broke by half
            raise
        try:
            if quantity:
                self.sell(quantity, codes=codes)
                seen.sold += quantity
            if opens:
                wait_until(lambda: reader.shown_at, "an incident", GIVE_UP_SECONDS)
                seen.opened_s = (reader.shown_at or 0) - began
                told = partial(self.subscriber.told_of_opening, began)
                wait_until(told, "the subscriber to be told", GIVE_UP_SECONDS)
                seen.told_s = (told() or 0) - began
            meanwhile()
            told_now = self.incidents() if opens else []
            after = [one for one in told_now if "after the chain is back" in (one["estimate"] or "")]
            return (after[0]["eta_seconds"] or 0) if after else None
        finally:
            end()
            reader.stop()

    def _recover(self, seen: Seen, ended: float, promised: int | None, *, fair: bool) -> None:
        """Until all is minted and calm; how good the estimate was: the one told then, or before for after the fault."""
        deadline = time.monotonic() + SETTLE_SECONDS
        estimated, told_s = (ended, promised) if promised is not None else (0.0, 0)
        early = bool(estimated)
        if early:
            seen.eta = f"{told_s} s" if told_s else "a few seconds"
        while not self.minted():
            assert time.monotonic() < deadline, "not everything was minted"
            now = [one for one in self.incidents() if (one["estimate"] or "").startswith("Done in")]
            if now and (early or not estimated):
                early, estimated, told_s = False, time.monotonic(), now[0]["eta_seconds"] or 0
                seen.eta = f"{told_s} s" if told_s else "a few seconds"
            time.sleep(0.1)
        if estimated:
            seen.took_s = took_s = time.monotonic() - estimated
            assert not fair or took_s <= 2 * (told_s or FEW_SECONDS), f"{seen.eta} were told, and it took {took_s} s"
            assert not fair or took_s >= told_s / 2, f"{seen.eta} were told, and it took {took_s} s"
        self.settle()
        self.wait_calm()

    def _read_reports(self, incidents: list[int]) -> None:
        """Each incident has one, and it found nothing lost."""
        reports = partial(history.reports, self.engine, incidents)
        wait_until(lambda: len(reports()) == len(incidents), "the reports", SETTLE_SECONDS)
        assert all(one["problems"] == [] for one in reports()), reports()

    def _mount(self) -> None:
        """The data folder is a small file system of its own, so that it can be filled."""
        self.data.mkdir(mode=0o700)
        size = f"size={DISK_MIB}m,mode=700"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self.data)], check=False, capture_output=True
        )
        self.small_disk = done.returncode == 0  # only root may

    def _subscribe(self) -> None:
        """And wait for the copy from which subscribers are told while the database is away."""
        copy = self.data / KEPT_FILE
        asked = httpx.post(
            f"{self.platform.url}/api/v1/subscriptions",
            json={"channel": "webhook", "address": self.subscriber.url},
            headers={"Idempotency-Key": uuid4().hex},
            timeout=10,
        )
        assert asked.status_code == httpx.codes.ACCEPTED, asked.text
        wait_until(lambda: self.subscriber.got, "the subscription's challenge")
        wait_until(lambda: copy.exists() and copy.stat().st_size, "the subscriber to be remembered")
