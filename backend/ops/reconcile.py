"""Compare a restored database with the payment provider and the chain before sales open (design 9).

A restored database does not know what happened after its backup: it would sell minted seats again. So, in this order:
follow the chain to its head, since payments may have been made there; settle every payment whose fate we don't know;
find money that was taken and that we know nothing of; bring tickets back that only the chain knows; book refunds and
disputes that only the provider knows; check every promise; and only then open sales. Each step may be repeated.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from sqlalchemy import Engine, func, select

from backend.chain import leases
from backend.chain.diagnosis import Kind
from backend.chain.follow import Follower
from backend.chain.leases import HeldLease
from backend.chain.rpc import Node
from backend.db.engine import read
from backend.db.tables.chain import Batch, Chain
from backend.db.tables.orders import Payment
from backend.db.tables.restores import waiting
from backend.errors import Refused, refuse
from backend.i18n import gettext as _
from backend.ops.check import check_rows
from backend.ops.recovered import Recovered, recover
from backend.ops.restore import mark, note, unmark
from backend.ops.unknown_events import unknown_events
from backend.privacy.erased import erase_again
from backend.sales.charge_backs import Found, book_disputes
from backend.sales.payments.chain import NAME as CHAIN
from backend.sales.payments.chain_watch import watch_to_final
from backend.sales.payments.flow import OPEN, find_payment, settle
from backend.sales.payments.interface import Disputed, Provider, RefundRefused, Said, SentBack, Silent
from backend.sales.payments.reconcile import reconcile as settle_open
from backend.sales.sent_back import Booked, book_sent_back
from backend.settings import Settings
from backend.wiring import Services

MARGIN_SECONDS = 3600  # before the backup was made: payments may have been on their way
WORKER_TASKS = ("chain", "batcher", "payments")  # leases a worker holds; none may run beside us
MAX_ROUNDS = 100_000
LEASE_SECONDS = 60  # prolonged with every round of blocks


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was found and done. Sales are open if `opened` is not none; else the rest says why not."""

    forgotten: int = 0  # people who had been erased after the backup
    settled: int = 0
    open_payments: int = 0  # whose provider has not said what became of them
    unknown: tuple[UUID, ...] = ()  # payments that took money and that the database does not know
    refunded: int = 0  # of the unknown
    refused: tuple[UUID, ...] = ()  # of the unknown: their provider will not send the money back
    recovered: Recovered = field(default_factory=Recovered)
    booked: Booked = field(default_factory=Booked)  # refunds that only the providers knew
    disputes: Found = field(default_factory=Found)  # that only the providers knew
    unknown_events: tuple[bytes, ...] = ()  # contracts of events that were made after the backup
    problems: tuple[str, ...] = ()
    opened: int | None = None  # events on sale again


def reconcile_all(
    services: Services,
    nodes: Sequence[Node],
    holder: str,
    *,
    refund_unknown: bool = False,
    made_at: float | None = None,
) -> Reconciled:
    """Do everything that can be done now. `made_at`: for a database restored by other means, when its copy was made."""
    engine, settings = services.engine, services.settings
    held = _alone(engine, holder)
    try:
        since = _since(engine, made_at)
        if settings.node_urls:
            follow_to_head(engine, settings, nodes, held)
        else:
            _require_no_chain(engine)
        if services.chain is not None:
            watch_to_final(engine, services.tills, services.chain)
        done = Reconciled(forgotten=erase_again(engine, settings.data_dir), settled=_settle(services, since))
        done = replace(done, open_payments=_open(engine))
        disputed = [one for provider in services.payments.values() for one in _disputed(provider, since)]
        lost = {one.payment_id for one in disputed if not one.dispute.reinstated}
        done = _find_unknown(engine, services.payments, done, since, lost, refund=refund_unknown)
        sent_back = [one for provider in services.payments.values() for one in _sent_back(provider, since)]
        with engine.begin() as connection:
            done = replace(done, recovered=recover(connection), unknown_events=unknown_events(connection))
            done = replace(done, booked=book_sent_back(connection, sent_back))
        done = replace(done, disputes=book_disputes(engine, disputed))
        with read(engine) as connection:
            done = replace(done, problems=check_rows(connection).problems)
        if done.open_payments or done.disputes.waiting or done.problems or done.booked.unfit:
            return done
        if len(done.unknown) > done.refunded:
            return done
        with engine.begin() as connection:
            return replace(done, opened=unmark(connection))
    finally:
        for one in held.values():
            leases.release(engine, one)


def follow_to_head(engine: Engine, settings: Settings, nodes: Sequence[Node], held: Mapping[str, HeldLease]) -> None:
    """Apply every block the node has; refuses when no node of ours answers. Keeps every lease in `held` the while."""
    follower = Follower(engine, settings.chain_id, settings.finality_blocks, rewinds_by_itself=False)
    for _round in range(MAX_ROUNDS):
        for one in held.values():
            leases.take(engine, one.name, one.holder, LEASE_SECONDS)
        found = follower.follow(nodes, held["chain"])
        if found.diagnosis.kind is not Kind.OK:
            sentence = _("The chain is %s; sales can't open before it was asked. See: truestub chain status")
            raise refuse("chain_not_ready", sentence % found.diagnosis.kind.value)
        if not found.blocks:
            return
    raise refuse("chain_not_ready", _("The chain is too far ahead; run truestub reconcile again"))


def _require_no_chain(engine: Engine) -> None:
    with read(engine) as connection:
        chain = connection.scalar(select(Chain.id).where(Chain.state != "retired").limit(1))
        batch = connection.scalar(select(Batch.number).limit(1))
    if chain is not None or batch is not None:
        sentence = _("Tickets of this database are on a chain and no node is set: set TRUESTUB_NODE_URLS and try again")
        raise refuse("chain_not_ready", sentence)


def _alone(engine: Engine, holder: str) -> dict[str, HeldLease]:
    held: dict[str, HeldLease] = {}
    for name in WORKER_TASKS:
        lease = leases.take(engine, name, holder, LEASE_SECONDS)
        if lease is None:
            for one in held.values():
                leases.release(engine, one)
            raise refuse("worker_runs", _("A worker runs on this database; stop truestub work and try again"))
        held[name] = lease
    return held


def _since(engine: Engine, made_at: float | None) -> float:
    with engine.begin() as connection:
        found = waiting(connection)
        if found is None:
            if made_at is None:
                raise refuse("not_restored", _("This database waits for no reconciliation; nothing was changed"))
            mark(connection, int(made_at))
            return made_at - MARGIN_SECONDS
        note(connection)  # the restore may have been killed before it came to that
    return float(found["made_at"]) - MARGIN_SECONDS


def _settle(services: Services, since: float) -> int:
    """Everything the providers can tell of payments that we know."""
    settled = 0
    while count := settle_open(services.engine, services.tills, services.payments):
        settled += count
    for provider in services.payments.values():
        for said in _taken(provider, since):
            if _state(services.engine, said.payment_id) in (*OPEN, "declined"):
                settle(services.engine, services.tills, find_payment(services.engine, said.payment_id), said)
                settled += 1
    return settled


def _find_unknown(
    engine: Engine,
    providers: Mapping[str, Provider],
    done: Reconciled,
    since: float,
    lost: Collection[UUID],  # payments whose money is not with us any more
    *,
    refund: bool,
) -> Reconciled:
    unknown: list[UUID] = []
    refused: list[UUID] = []
    refunded = 0
    for provider in providers.values():
        for said in _taken(provider, since):
            if _state(engine, said.payment_id) is not None or said.payment_id in lost:
                continue
            unknown.append(said.payment_id)
            if not refund:
                continue
            try:
                _give_back(provider, said)
            except RefundRefused:
                refused.append(said.payment_id)
            else:
                refunded += 1
    return replace(done, unknown=tuple(unknown), refunded=refunded, refused=tuple(refused))


def _give_back(provider: Provider, said: Said) -> None:
    try:
        provider.refund(said.payment_id, said.payment_id, None, said.reference)  # its own id is the key: once
    except Silent as error:
        if provider.name != CHAIN:  # there it is asked for, and the worker sends it
            raise _silent(provider) from error


def _taken(provider: Provider, since: float) -> list[Said]:
    try:
        return list(provider.taken_since(since))
    except Silent as error:
        raise _silent(provider) from error


def _sent_back(provider: Provider, since: float) -> list[SentBack]:
    try:
        return list(provider.sent_back_since(since))
    except Silent as error:
        raise _silent(provider) from error


def _disputed(provider: Provider, since: float) -> list[Disputed]:
    try:
        return list(provider.disputed_since(since))
    except Silent as error:
        raise _silent(provider) from error


def _silent(provider: Provider) -> Refused:
    sentence = _(
        "The payment provider %s does not answer; sales stay closed until it does: then run truestub reconcile"
    )
    return refuse("provider_silent", sentence % provider.name)


def _state(engine: Engine, payment_id: UUID) -> str | None:
    with read(engine) as connection:
        return connection.execute(select(Payment.state).where(Payment.id == payment_id)).scalar_one_or_none()


def _open(engine: Engine) -> int:
    with read(engine) as connection:
        return connection.scalar(select(func.count()).where(Payment.state.in_(OPEN))) or 0
