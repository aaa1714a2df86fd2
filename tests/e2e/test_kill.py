"""SIGKILL at every named boundary from held to applied: no paid ticket is lost, none is doubled.

Real processes on SQLite and on PostgreSQL. Each round arms one place, sells until the process is dead, and starts it
again, which finishes what was begun; after all rounds the promises are checked from outside.
"""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from uuid import UUID

import pytest
from sqlalchemy import Engine, select

from backend.db.engine import make_engine, read
from backend.db.tables.chain import ChainJob, Token
from backend.db.tables.orders import Payment, Ticket
from tests.support.checker import check_chain, check_sales
from tests.support.forked_worker import let_leases_expire
from tests.support.guest import Bought, Guest
from tests.support.installation import Installation, doors_open, wait_until
from tests.support.postgres import PostgresServer

EXAMPLE = Path("examples/concert.toml")
SLUG = "summer-night"

# Where a process dies -> which process. Every place in the selling path is here: `test_every_place_is_tried`.
PLACES = {
    "till.decided": "web",
    "till.written": "web",
    "till.committed": "web",
    "pay.started": "web",
    "pay.charged": "web",
    "batcher.written": "work",
    "batcher.closed": "work",
    "signer.before_commit": "signer",
    "signer.committed": "signer",
    "jobs.mint": "work",
    "relayer.signed": "work",
    "relayer.stored": "work",
    "relayer.sending": "work",
    "relayer.sent": "work",
    "indexer.written": "work",
    "indexer.applied": "work",
}
# Where the database decides what is there after the kill; the others are tried on PostgreSQL by the deep test.
COMMITS = {
    *("till.written", "till.committed", "pay.charged", "batcher.written", "signer.before_commit"),
    *("relayer.signed", "relayer.sending", "indexer.written"),
}
_ROWS, _CHAIN = "tests/backend/test_killed.py", "tests/backend/chain/test_killed.py"
_MONEY = "tests/backend/sales/test_chain_payments.py"
_REFUND = f"{_ROWS}::test_killed_around_a_refund_the_money_goes_back_once"
_ROTATION = f"{_ROWS}::test_killed_in_a_rotation_it_is_finished_with_one_new_key"
_BUNDLE = f"{_ROWS}::test_killed_before_a_bundle_is_stored_the_next_has_a_higher_version"
_SWAP = f"{_CHAIN}::test_killed_in_each_step_of_a_replay_and_a_swap_all_comes_back_once"
_OFFER = f"{_MONEY}::test_killed_around_an_offer_and_its_money_each_order_is_paid_once"
_BACKUP = "tests/backend/ops/test_backup.py::test_a_backup_killed_at_any_step_leaves_nothing_in_clear_in_its_folder"
_DRILL = "tests/backend/ops/test_restore.py::test_what_a_killed_drill_left_is_gone_after_the_next"
ELSEWHERE = {  # place -> the test that kills there
    "backup.copied": _BACKUP,
    "backup.sealing": _BACKUP,
    "backup.sealed": _BACKUP,
    "backup.summed": _BACKUP,
    "backup.named": _BACKUP,
    "drill.unpacked": _DRILL,
    "drill.restored": _DRILL,
    "event.keys": f"{_ROWS}::test_killed_while_an_event_gets_its_keys_it_gets_one_contract",
    "keys.rotated": _ROTATION,
    "keys.before_commit": _ROTATION,
    "keystore.written": _ROTATION,
    "keystore.linked": _ROTATION,
    "jobs.": f"{_ROWS}::test_killed_while_a_revocation_is_asked_for_it_is_asked_for_once",
    "marks.written": f"{_ROWS}::test_killed_while_a_revocation_is_asked_for_it_is_asked_for_once",
    "bundles.signed": _BUNDLE,
    "bundles.before_commit": _BUNDLE,
    "refund.written": _REFUND,
    "refund.sent": _REFUND,
    "refund.charged_back": f"{_ROWS}::test_killed_while_a_charge_back_is_written_it_is_written_once",
    "chain_money.offered": _OFFER,
    "chain_money.stored": _OFFER,
    "notice.sent": f"{_ROWS}::test_killed_after_a_letter_left_it_is_sent_again_under_the_same_id",
    "relayer.bumped": (
        f"{_CHAIN}::test_killed_after_offering_more_the_dearer_transaction_is_sent_and_no_third_is_made"
    ),
    "relayer.filled": f"{_CHAIN}::test_killed_after_filling_a_gap_it_is_filled_once",
    "replay.played": _SWAP,
    "rewind.written": _SWAP,
    "rewind.swapped": _SWAP,
    "adopt.written": f"{_CHAIN}::test_killed_while_a_chain_is_taken_up_nothing_has_changed",
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Node, signer, web and worker, with an event on sale."""
    url = ""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.create_database()
    made = Installation(tmp_path_factory.mktemp(request.param), url)
    try:
        made.start("node", "node", "start", "--port", str(made.node_port))
        made.run("init")
        made.start("signer", "signer", "run")
        wait_until((made.folder / "platform" / "signer.sock").exists, "the signer")
        file = made.folder / "event.toml"
        file.write_text(doors_open(EXAMPLE.read_text()))
        made.run("event", "create", str(file))
        made.start("web")
        made.start("work")
        wait_until(made.web_answers, "the web server")
        yield made
    finally:
        made.close()


def test_every_place_is_tried() -> None:
    found: set[str] = set()
    for file in Path("backend").rglob("*.py"):
        if file.name != "killpoints.py":
            found |= set(re.findall(r"reach\(f?\"([\w.]+)", file.read_text()))
    assert found - set(PLACES) == set(ELSEWHERE)


@pytest.mark.parametrize("place", ELSEWHERE)
def test_every_place_beside_the_sale_names_a_test_that_kills_there(place: str) -> None:
    file, _, name = ELSEWHERE[place].partition("::")
    text = Path(file).read_text()
    assert re.search(rf"^def {name}\(", text, re.MULTILINE)
    assert f'"{place}' in text


def test_killed_at_every_boundary_no_paid_ticket_is_lost_or_doubled(platform: Installation) -> None:
    embedded = platform.database_url.startswith("sqlite")
    _check(platform, _rounds(platform, [place for place in PLACES if embedded or place in COMMITS]))


def test_killed_node_between_sending_and_applying(platform: Installation) -> None:
    """The node keeps nothing of what it had not saved: it comes back with what it was saved with."""
    guest = Guest(platform, SLUG)
    first = guest.buy(2)
    guest.bind(first)
    state = platform.folder / "node.state"
    platform.run("node", "save", str(state))
    second = guest.buy(3)
    platform.kill("node")
    third = guest.buy(1)
    guest.bind(third)
    platform.start("node", "node", "start", "--port", str(platform.node_port), "--load", str(state))
    guest.bind(second)
    guest.close()
    _check(platform, [first, second, third])


@pytest.mark.deep
def test_killed_at_every_boundary_many_rounds(platform: Installation) -> None:
    for count in range(1, 6):
        _check(platform, _rounds(platform, [f"{place}:{count}" for place in PLACES]))


def _rounds(platform: Installation, places: list[str]) -> list[Bought]:
    """Each process is killed at each of its places in turn; what it had begun is finished by the one that follows it,
    which is armed with the next place."""
    done: list[Bought] = []
    for name in dict.fromkeys(PLACES[place.partition(":")[0]] for place in places):
        own = [place for place in places if PLACES[place.partition(":")[0]] == name]
        guest = Guest(platform, SLUG)
        platform.kill(name)
        buyer = _sell(guest, done)
        for place in own:
            armed = _start(platform, name, place)
            deadline = time.monotonic() + 60
            while armed.poll() is None and time.monotonic() < deadline:
                if not buyer.is_alive():  # the place comes up again with the next sale
                    buyer = _sell(guest, done)
                time.sleep(0.05)
            died_by = armed.poll()
            platform.kill(name)
            assert died_by is not None, f"{name} never came to {place}"
            # The web server is a process that watches another; it ends when that one was killed.
            assert died_by == -signal.SIGKILL or name == "web", (place, died_by, platform.log(name))
        _start(platform, name)
        buyer.join(120)
        guest.close()
        assert not buyer.is_alive(), f"the sale was never finished after {own}: {platform.log(name)}"
    return done


def _sell(guest: Guest, done: list[Bought]) -> Thread:
    def sell() -> None:
        bought = guest.buy()
        guest.bind(bought)
        done.append(bought)

    buyer = Thread(target=sell)
    buyer.start()
    return buyer


def _start(platform: Installation, name: str, place: str = "") -> subprocess.Popen[bytes]:
    """Start it again. A dead worker's leases end at once: that they end by themselves is shown elsewhere."""
    if name == "work":
        engine = make_engine(platform.database_url)
        let_leases_expire(engine)
        engine.dispose()
    return platform.start(name, *(("signer", "run") if name == "signer" else (name,)), kill_at=place)


def _check(platform: Installation, bought: list[Bought]) -> None:
    engine = make_engine(platform.database_url)
    wait_until(lambda: _all_minted(engine), "every paid ticket to be minted")
    sales = check_sales(engine, {UUID(one.order_id) for one in bought})
    chain = check_chain(engine, platform.node_url)
    with read(engine) as connection:
        charged = connection.scalars(select(Payment.order_id).where(Payment.state == "succeeded")).all()
    engine.dispose()
    assert sales.problems + chain.problems == []
    assert len(set(charged)) == len(charged), "an order was charged twice"


def _all_minted(engine: Engine) -> bool:
    with read(engine) as connection:
        tickets = connection.scalars(select(Ticket.token_id)).all()
        tokens = connection.scalars(select(Token.token_id)).all()
        open_jobs = connection.scalars(select(ChainJob.id).where(ChainJob.state.not_in(("included", "final")))).all()
    return None not in tickets and set(tickets) == set(tokens) and not open_jobs
