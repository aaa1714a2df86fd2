"""Bundles say what the database says, as of a moment that they name truthfully."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from eth_account import Account
from nacl.signing import SigningKey
from sqlalchemy import Engine, func, insert, select, text

from backend.credentials import bundles
from backend.credentials.bundle_building import plain_name
from backend.credentials.bundle_signing import MAX_AGE_SECONDS, MAX_AHEAD_SECONDS
from backend.credentials.bundles import FAR_PACE, KEPT_VERSIONS, NEAR_PACE, newest, refresh, refresh_event
from backend.credentials.gates import enrol
from backend.credentials.key_lists import Roots
from backend.credentials.messages import BindingRequest, Call, Issue, IssuedCredential, SignBundle, TrailerAnswer
from backend.credentials.published import newest_key_list
from backend.credentials.publishing import publish
from backend.credentials.snapshot import snapshot
from backend.credentials.ticket_status import bundle_status
from backend.db.clock import now_ms
from backend.db.tables.chain import Chain, ChainBlock, ChainContract, Token
from backend.db.tables.credentials import Bundle as BundleRow
from backend.db.tables.credentials import Credential as CredentialRow
from backend.errors import Refused, refuse
from credential.bundle import Bundle, Status, Ticket, Tickets, encode_bundle, verify_bundle
from credential.ids import token_id
from credential.keylist import KeyList
from credential.results import Untrusted
from tests.backend.credentials.gate import Gate, compact, full
from tests.backend.credentials.world import HOUR, Sold, World, address_of
from verifier.verdict import Code

ROOT = SigningKey(b"root of the bundle tests".ljust(32))
Change = Callable[..., None]


class InProcess:
    """The signer without its socket."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.reachable = True

    def sign_bundle(self, event_id: UUID, data: bytes) -> bytes:
        if not self.reachable:
            raise refuse("signer_unreachable", "The signer does not answer")
        answer = self._world.signer.answer(Call(request=SignBundle(event_id=event_id)), data)
        assert isinstance(answer, TrailerAnswer)
        return data + answer.trailer


@pytest.fixture
def signer(world: World) -> InProcess:
    publish(world.engine, [ROOT])
    return InProcess(world)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed bundle is renewed without waiting a second for the next."""
    monkeypatch.setattr(bundles, "NEAR_PACE", bundles.Pace(0, 15))


def trusted(world: World) -> KeyList:
    with world.engine.connect() as connection:
        key_list = newest_key_list(connection)
    assert key_list
    return key_list


def bundle_of(world: World, signer: InProcess) -> Bundle:
    refresh(world.engine, signer)
    stored = newest(world.engine, world.event_id)
    assert stored
    bundle = verify_bundle(stored.data, trusted(world))
    assert isinstance(bundle, Bundle), bundle
    assert bundle.version == stored.version
    return bundle


def issue(world: World, sold: Sold, position: int = 0, request: BindingRequest | None = None) -> IssuedCredential:
    call = Issue(ticket_id=sold.tickets[position], binding=request or world.request(sold, position))
    issued = world.signer.answer(Call(request=call), b"")
    assert isinstance(issued, IssuedCredential)
    return issued


def device(world: World, sold: Sold, position: int = 0) -> SigningKey:
    return world.devices[sold.tickets[position]]


def row_of(world: World, bundle: Bundle, ticket: UUID) -> Ticket:
    rank = bundle.rank(world.ticket(ticket).token_id)
    assert rank is not None
    return bundle.tickets[rank]


def rows(bundle: Bundle) -> list[Ticket]:
    return [bundle.tickets[rank] for rank in range(len(bundle.tickets))]


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_a_bundle_says_what_the_rows_say(world: World, signer: InProcess) -> None:
    first, second = world.sell(3), world.sell(2, class_number=2)
    world.sell(1, batched=False)
    issued = issue(world, first, 1)
    world.change_ticket(first.tickets[2], state="refunded")
    world.change_ticket(second.tickets[0], seat_number=7)
    enrol(world.engine, world.event_id, "North")
    bundle = bundle_of(world, signer)
    assert [(batch.count, batch.class_number) for batch in bundle.batches] == [(3, 1), (2, 2)]
    ranks = [bundle.rank(world.ticket(ticket).token_id) for ticket in (*first.tickets, *second.tickets)]
    assert sorted(rank for rank in ranks if rank is not None) == list(range(5))
    listed = {ticket: row_of(world, bundle, ticket) for ticket in (*first.tickets, *second.tickets)}
    key = bytes(device(world, first, 1).verify_key)
    assert listed[first.tickets[0]] == Ticket(zone=1)
    assert listed[first.tickets[1]] == Ticket(serial=issued.serial, holder_key=key, zone=1)
    assert listed[first.tickets[2]] == Ticket(status=Status.REVOKED, zone=1)
    assert listed[second.tickets[0]] == Ticket(zone=2, seat=7)
    assert [(gate.number, gate.name, gate.public_key) for gate in bundle.gates] == [(1, "North", None)]
    assert (bundle.event_tag, bundle.event_id) == (world.tag, world.event_id)
    assert (bundle.chain_id, bundle.contract, bundle.index_through) == (0, bytes(20), 0)
    assert [zone.number for zone in bundle.zones] == [1, 2]
    assert abs(bundle.rows_through - time.time()) < 30
    assert bundle.rows_through <= bundle.issued_at


def test_the_columns_are_the_ones_the_format_makes(world: World, signer: InProcess) -> None:
    """They are packed by hand for speed; `Tickets.of` is the oracle."""
    for count in (1, 2, 3, 5):
        sold = world.sell(count)
        for position in range(count):
            if position % 2:
                issue(world, sold, position)
            else:
                world.change_ticket(sold.tickets[position], state=("suspended", "revoked", "valid")[position % 3])
    tickets = bundle_of(world, signer).tickets
    assert Tickets.of([tickets[rank] for rank in range(len(tickets))]) == tickets


def test_an_event_without_tickets_has_a_bundle(world: World, signer: InProcess) -> None:
    assert len(bundle_of(world, signer).tickets) == 0


STATES = [
    ("valid", None, Status.VALID),
    ("valid", 0, Status.VALID),
    ("valid", 1, Status.REDEEMED),
    ("valid", 2, Status.REVOKED),
    ("valid", 3, Status.SUSPENDED),
    ("refunded", None, Status.REVOKED),
    ("refunded", 1, Status.REVOKED),
    ("revoked", 0, Status.REVOKED),
    ("suspended", 0, Status.SUSPENDED),
    ("suspended", 1, Status.REDEEMED),
    ("suspended", 2, Status.REVOKED),
    ("some new state", 0, Status.SUSPENDED),
]


@pytest.mark.parametrize(("state", "on_chain", "expected"), STATES)
def test_the_strictest_word_counts(state: str, on_chain: int | None, expected: Status) -> None:
    assert bundle_status(state, on_chain, has_entered=False) is expected


def test_who_went_in_is_redeemed_before_the_chain_knows() -> None:
    assert bundle_status("valid", 0, has_entered=True) is Status.REDEEMED
    assert bundle_status("suspended", None, has_entered=True) is Status.REDEEMED
    assert bundle_status("refunded", 0, has_entered=True) is Status.REVOKED


def chain_at(world: World, *, block: int, final: int, timestamp: int = 1_900_000_000) -> None:
    with world.engine.begin() as connection:
        chain = {
            "id": 1,
            "chain_id": 31337,
            "genesis_hash": bytes(32),
            "state": "active",
            "start_block": 0,
            "cursor_number": block,
            "cursor_hash": bytes(32),
            "final_number": final,
            "seen_ms": 0,
            "created_ms": 0,
        }
        connection.execute(insert(Chain).values(**chain))
        for number in range(block + 1):
            values = {"hash": bytes([number]) * 32, "parent_hash": bytes(32), "timestamp": timestamp + number}
            connection.execute(insert(ChainBlock).values(chain=1, number=number, **values))


def on_chain(world: World, ticket: UUID, *, block: int, status: int = 0, epoch: int = 0, owner: bytes = b"") -> None:
    row = world.ticket(ticket)
    with world.engine.begin() as connection:
        values = {"event_id": world.event_id, "token_id": row.token_id, "owner": owner or row.owner, "epoch": epoch}
        connection.execute(insert(Token).values(**values, status=status, minted_block=1, changed_block=block))


def test_what_the_chain_says_is_in_it(world: World, signer: InProcess) -> None:
    sold = world.sell(2)
    chain_at(world, block=9, final=7)
    on_chain(world, sold.tickets[0], block=8, status=1)
    with world.engine.begin() as connection:
        address = {"address": b"\7" * 20, "kind": "event", "event_id": world.event_id}
        connection.execute(insert(ChainContract).values(chain=1, **address))
    bundle = bundle_of(world, signer)
    assert row_of(world, bundle, sold.tickets[0]).status is Status.REDEEMED
    assert (bundle.chain_id, bundle.contract) == (31337, b"\7" * 20)
    assert bundle.index_through == 1_900_000_007, "the time of the last final block, not of the newest"


@pytest.mark.parametrize(("final", "superseded"), [(8, True), (7, False)])
def test_a_final_move_supersedes_what_the_seller_had(
    world: World, signer: InProcess, final: int, superseded: bool
) -> None:
    sold = world.sell(wallet=True)
    seller = issue(world, sold)
    buyer = Account.create()
    chain_at(world, block=9, final=final)
    on_chain(world, sold.tickets[0], block=8, epoch=1, owner=address_of(buyer))
    enrol(world.engine, world.event_id, "North")
    bundle = bundle_of(world, signer)
    verdict = Gate(1).scan(full(seller, device(world, sold)), trusted(world), bundle, now=seller.not_before + 60)
    assert bundle.tickets[0].serial == (2 if superseded else 1)
    assert (bundle.tickets[0].holder_key is None) is superseded
    if superseded:
        assert verdict is Code.STALE or verdict is Code.SUPERSEDED


def test_a_batch_without_its_tickets_is_not_admitted(world: World, signer: InProcess) -> None:
    sold = world.sell(2)
    world.change_ticket(sold.tickets[0], token_id=None)
    assert sorted(row.status for row in rows(bundle_of(world, signer))) == [Status.VALID, Status.SUSPENDED]


@pytest.mark.parametrize("name", ["x" * 300, "演" * 200, "a\tb\nc", "e" * 254 + "é"])
def test_any_name_fits_into_a_bundle(world: World, signer: InProcess, name: str) -> None:
    world.change_event(name=name[:200])
    assert bundle_of(world, signer).event_name == plain_name(name[:200])
    assert len(plain_name(name).encode()) <= 255


# --- from here to the gate --------------------------------------------------------------------------------------------


@pytest.fixture
def now_open(world: World) -> None:
    """The doors are open now."""
    doors = int(time.time()) * 1000 - HOUR * 1000
    world.change_event(doors_ms=doors, starts_ms=doors, ends_ms=doors + 5 * HOUR * 1000)


@pytest.mark.usefixtures("now_open")
@pytest.mark.parametrize("wallet", [True, False], ids=["own wallet", "custody"])
def test_what_is_issued_here_is_admitted_there(world: World, signer: InProcess, wallet: bool) -> None:
    sold = world.sell(2, wallet=wallet)
    enrol(world.engine, world.event_id, "North")
    issued = [issue(world, sold, position) for position in range(2)]
    bundle, gate = bundle_of(world, signer), Gate(1)
    for shown in (full, compact):
        position = (full, compact).index(shown)
        code = shown(issued[position], device(world, sold, position))
        assert gate.scan(code, trusted(world), bundle) is Code.ADMIT
        assert gate.scan(code, trusted(world), bundle) is Code.ALREADY_USED


@pytest.mark.usefixtures("now_open")
def test_a_ticket_sold_after_the_bundle_is_admitted_by_its_signatures(world: World, signer: InProcess) -> None:
    enrol(world.engine, world.event_id, "North")
    world.sell()
    bundle = bundle_of(world, signer)
    late = world.sell()
    assert Gate(1).scan(full(issue(world, late), device(world, late)), trusted(world), bundle) is Code.ADMIT


@pytest.mark.usefixtures("now_open")
def test_an_old_phone_is_refused_once_the_bundle_knows_the_new_one(world: World, signer: InProcess) -> None:
    sold = world.sell()
    enrol(world.engine, world.event_id, "North")
    old, old_device = issue(world, sold), device(world, sold)
    new_device = SigningKey.generate()
    new = issue(world, sold, request=world.request(sold, device=new_device))
    bundle = bundle_of(world, signer)
    assert Gate(1).scan(full(old, old_device), trusted(world), bundle) is Code.SUPERSEDED
    assert Gate(1).scan(compact(old, old_device), trusted(world), bundle) is Code.SUPERSEDED
    assert Gate(1).scan(full(new, new_device), trusted(world), bundle) is Code.ADMIT


@pytest.mark.usefixtures("now_open")
@pytest.mark.parametrize(("state", "code"), [("refunded", Code.REVOKED), ("suspended", Code.SUSPENDED)])
def test_a_refunded_or_suspended_ticket_is_refused(world: World, signer: InProcess, state: str, code: Code) -> None:
    sold = world.sell()
    enrol(world.engine, world.event_id, "North")
    issued = issue(world, sold)
    world.change_ticket(sold.tickets[0], state=state)
    assert Gate(1).scan(full(issued, device(world, sold)), trusted(world), bundle_of(world, signer)) is code


# --- rows_through -----------------------------------------------------------------------------------------------------


@contextmanager
def slow_writer(world: World, sold: Sold) -> Iterator[int]:
    """A transaction that looked at the clock, wrote, and has not committed; it commits at the end of the block."""
    with world.engine.begin() as connection:
        at = now_ms(connection)
        connection.execute(
            text("UPDATE tickets SET serial = 9, changed_ms = :at WHERE order_id = :order"),
            {"at": at, "order": sold.order_id.hex if world.engine.dialect.name == "sqlite" else sold.order_id},
        )
        time.sleep(0.05)  # the clock goes on
        yield at


def test_a_row_committed_late_with_an_early_time_is_not_passed_over(world: World, signer: InProcess) -> None:
    """On PostgreSQL the bundle is built beside the slow writer, and must not claim its time; on SQLite it waits."""
    sold, outcome = world.sell(), []

    def build() -> None:
        outcome.append(bundle_and_time(world, signer))

    with slow_writer(world, sold) as at:
        thread = threading.Thread(target=build)
        thread.start()
        thread.join(1.0)
        if world.engine.dialect.name == "postgresql":
            assert not thread.is_alive(), "nobody waits for the writer"
        else:
            assert thread.is_alive()
    thread.join()
    ((bundle, rows_through_ms),) = outcome
    assert bundle.tickets[0].serial == 9 or rows_through_ms <= at


def bundle_and_time(world: World, signer: InProcess) -> tuple[Bundle, int]:
    bundle = bundle_of(world, signer)
    with world.engine.connect() as connection:
        through = connection.scalar(select(BundleRow.rows_through_ms).order_by(BundleRow.version.desc()).limit(1))
    assert through is not None
    return bundle, through


def test_a_transaction_that_only_looked_at_the_clock_counts_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And on PostgreSQL it is the list of transactions that makes it count; SQLite's writers take turns anyway."""
    claimed = []

    def look() -> None:
        with snapshot(world.engine) as taken:
            claimed.append(taken.rows_through_ms)

    with world.engine.begin() as connection:
        at = now_ms(connection)
        time.sleep(0.02)
        beside = threading.Thread(target=look)
        beside.start()
        beside.join(0.5)
        if world.engine.dialect.name == "postgresql":
            assert claimed[0] <= at
            monkeypatch.setattr("backend.credentials.snapshot._OLDEST_START", text("SELECT NULL"))
            look()
            assert claimed[1] > at, "without the list it is passed over"
        else:
            assert not claimed
    beside.join()
    assert claimed


def test_bundles_are_truthful_while_sales_run(world: World, signer: InProcess) -> None:
    """Buyers buy, bind and rebind while bundles are built. Each bundle has every credential from before its
    `rows_through`, and its rows are those of one moment."""
    with trading(world):
        taken = [bundle_and_time(world, signer) for _ in range(12)]
    with world.engine.connect() as connection:
        query = select(CredentialRow.token_id, CredentialRow.serial, CredentialRow.issued_ms)
        credentials = connection.execute(query).all()
    assert len(credentials) > 12
    for bundle, rows_through_ms in taken:
        for one in credentials:
            rank = bundle.rank(one.token_id)
            row = Ticket() if rank is None else bundle.tickets[rank]
            assert row.serial >= one.serial or one.issued_ms >= rows_through_ms, "missed, or claimed too much"
            assert (row.serial > 0) is (row.holder_key is not None), "both or neither: rows of one moment"
    versions = [bundle.version for bundle, _ in taken]
    assert versions == sorted(versions)
    assert len(set(versions)) > 3


@contextmanager
def trading(world: World) -> Iterator[None]:
    """Three buyers who buy, bind and bind again without end."""
    stop, batching = threading.Event(), threading.Lock()
    failures: list[Exception] = []

    def trade(number: int) -> None:
        try:
            while not stop.is_set():
                sold = world.sell(2, batched=False, wallet=bool(number % 2))
                with batching:
                    world.close_batch()
                issue(world, sold, 0)
                issue(world, sold, 0, world.request(sold, device=SigningKey.generate()))
        except Exception as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=trade, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures


# --- keeping it fresh -------------------------------------------------------------------------------------------------


def test_nothing_new_is_not_written_again(world: World, signer: InProcess) -> None:
    world.sell()
    assert refresh(world.engine, signer) == 1
    assert refresh(world.engine, signer) == 0


ROOTS_OF_TWO = Roots(1, (bytes(ROOT.verify_key), bytes(SigningKey(bytes(32)).verify_key)))
CHANGES: list[Callable[[World, Sold], object]] = [
    lambda world, sold: world.sell(),
    lambda world, sold: issue(world, sold, 0),
    lambda world, sold: world.change_ticket(sold.tickets[0], state="refunded"),
    lambda world, sold: world.change_ticket(sold.tickets[0], state="suspended", changed_ms=1),
    lambda world, sold: enrol(world.engine, world.event_id, "South"),
    lambda world, sold: on_chain(world, sold.tickets[0], block=1, status=1),
    lambda world, sold: world.change_event(offline_policy="refuse"),
    lambda world, sold: publish(world.engine, [ROOT], ROOTS_OF_TWO),
]
NAMES = ["sale", "credential", "refund", "suspension", "gate", "redemption on chain", "policy", "key list"]


@pytest.mark.parametrize("change", CHANGES, ids=NAMES)
def test_whatever_changes_makes_a_new_bundle(
    world: World, signer: InProcess, change: Callable[[World, Sold], object]
) -> None:
    sold = world.sell()
    before = bundle_of(world, signer)
    change(world, sold)
    after = bundle_of(world, signer)
    assert after.version > before.version
    assert encode_bundle(replace(after, version=1, issued_at=1, rows_through=1)) != encode_bundle(
        replace(before, version=1, issued_at=1, rows_through=1)
    )


def test_an_unchanged_bundle_is_renewed_in_time(
    world: World, signer: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a gate's clock floor and `rows_through` go on growing."""
    first = bundle_of(world, signer)
    monkeypatch.setattr(bundles, "NEAR_PACE", bundles.Pace(0, 0))
    second = bundle_of(world, signer)
    assert second.version > first.version
    assert second.rows_through >= first.rows_through


def test_an_event_far_away_is_renewed_seldom(world: World, signer: InProcess) -> None:
    assert FAR_PACE.if_changed > NEAR_PACE.if_changed
    far = int(time.time()) * 1000 + 40 * 24 * HOUR * 1000
    world.change_event(doors_ms=far, starts_ms=far, freeze_ms=far, ends_ms=far + HOUR * 1000)
    assert refresh(world.engine, signer) == 1
    world.sell()
    assert refresh(world.engine, signer) == 0


def test_an_event_that_is_over_gets_no_more_bundles(world: World, signer: InProcess) -> None:
    past = int(time.time()) * 1000 - 48 * HOUR * 1000
    world.change_event(doors_ms=past, starts_ms=past, ends_ms=past + HOUR * 1000)
    assert refresh(world.engine, signer) == 0


def test_workers_that_refresh_at_once_store_each_version_once(world: World, signer: InProcess) -> None:
    for _ in range(3):
        world.sell()
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: refresh_event(world.engine, signer, world.event_id), range(4)))
        assert any(done)
    with world.engine.connect() as connection:
        stored = connection.execute(select(BundleRow.version, BundleRow.data)).all()
    for version, data in stored:
        bundle = verify_bundle(data, trusted(world))
        assert isinstance(bundle, Bundle)
        assert bundle.version == version


def test_old_bundles_are_let_go(world: World, signer: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "KEPT_VERSIONS", 3)
    monkeypatch.setattr(bundles, "NEAR_PACE", bundles.Pace(0, 0))
    versions = [bundle_of(world, signer).version for _ in range(5)]
    with world.engine.connect() as connection:
        kept = connection.scalars(select(BundleRow.version).order_by(BundleRow.version)).all()
    assert list(kept) == versions[-3:]
    assert KEPT_VERSIONS > 10


def test_versions_grow_even_after_a_restore_lost_some(world: World, signer: InProcess) -> None:
    """A gate remembers the highest version it saw; a restored database must not hand out lower ones."""
    before = bundle_of(world, signer)
    with world.engine.begin() as connection:
        connection.execute(text("DELETE FROM bundles"))
    time.sleep(1.0 - time.time() % 1 + 0.01)  # the version is the time in seconds: let one pass
    assert bundle_of(world, signer).version > before.version


def test_without_the_signer_the_old_bundle_stays(world: World, signer: InProcess) -> None:
    world.sell()
    old = bundle_of(world, signer)
    world.sell()
    signer.reachable = False
    with pytest.raises(Refused, match="signer_unreachable"):
        refresh(world.engine, signer)
    stored = newest(world.engine, world.event_id)
    assert stored
    assert stored.version == old.version


def test_before_a_key_list_there_is_no_bundle(world: World) -> None:
    with pytest.raises(Refused, match="no_key_list"):
        refresh(world.engine, InProcess(world))


# --- what the signer will not sign ------------------------------------------------------------------------------------


def refused(signer: InProcess, bundle: Bundle, event_id: UUID) -> str:
    with pytest.raises(Refused) as caught:
        signer.sign_bundle(event_id, encode_bundle(bundle))
    return caught.value.refusal.code


def test_the_signer_signs_only_what_gates_can_get_rid_of(world: World, signer: InProcess) -> None:
    now = int(time.time())
    bundle = bundle_of(world, signer)
    fresh = replace(bundle, version=bundle.version + 1000, issued_at=now, rows_through=now)
    signer.sign_bundle(world.event_id, encode_bundle(fresh))
    assert refused(signer, bundle, world.event_id) == "bundle_version_taken"
    assert refused(signer, replace(fresh, event_tag=bytes(8)), world.event_id) == "bad_bundle"
    assert refused(signer, replace(fresh, event_id=uuid4()), world.event_id) == "bad_bundle"
    assert refused(signer, fresh, uuid4()) == "bad_bundle"
    assert refused(signer, replace(fresh, issued_at=now + MAX_AHEAD_SECONDS + 60), world.event_id) == "bad_bundle"
    assert refused(signer, replace(fresh, issued_at=now - MAX_AGE_SECONDS - 60), world.event_id) == "bad_bundle"
    assert refused(signer, replace(fresh, rows_through=now + 60), world.event_id) == "bad_bundle"
    assert refused(signer, replace(fresh, key_list_version=2), world.event_id) == "no_key_list"


def test_one_events_bundle_key_signs_for_that_event_alone(world: World, signer: InProcess) -> None:
    stored = bundle_of(world, signer)
    data = newest(world.engine, world.event_id)
    assert data
    other = replace(trusted(world), platform_id=bytes(16))
    assert verify_bundle(data.data, other) == Untrusted("other_platform")
    assert stored.event_id == world.event_id


def test_credentials_in_bundles_count(engine: Engine, world: World, signer: InProcess) -> None:
    world.sell(3)
    bundle = bundle_of(world, signer)
    assert bundle.rank(token_id(1, 2)) == 2
    assert bundle.rank(token_id(2, 0)) is None
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(BundleRow)) == 1
