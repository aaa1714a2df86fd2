"""`truestub work`: the worker. Batches, relays and indexes; ends holds, settles payments, renews bundles."""

import os
import signal
import socket
import time
from collections.abc import Sequence
from secrets import token_hex
from threading import Event, Thread

import typer
from sqlalchemy import Engine

from backend.chain.batcher import close_batches
from backend.chain.key_jobs import mirror_keys
from backend.chain.keys import ensure_chain_keys
from backend.chain.marks import REDEEM_WAIT_MS, ask_for_marks
from backend.chain.rpc import Node
from backend.chain.transport import Transport
from backend.chain.verify import Verified, verify_by_any
from backend.chain.worker import ChainWorker
from backend.cli.web import require_current_schema
from backend.credentials.bundles import refresh
from backend.db.engine import make_engine, read
from backend.db.tables.restores import waiting
from backend.i18n import gettext as _
from backend.logs import configure_logs
from backend.notices.kept import Kept
from backend.notices.operators import require_services
from backend.notices.order_outbox import LETTER, release_receipts
from backend.notices.order_sending import OrderSending
from backend.notices.outage import OutageTeller
from backend.notices.outbox import CONFIRM, OF_INCIDENTS, Sender, enqueue, send_due, spread
from backend.notices.sending import Sending
from backend.notices.subscribers import Book, tidy
from backend.ops.crew import Task
from backend.ops.crew import work as run_tasks
from backend.ops.reports import COMPARED_OF_EVENT, write_reports
from backend.ops.sensor_file import sensors_of
from backend.ops.sensors import READ_EVERY_SECONDS, SensorHttp, read_sensors
from backend.ops.watch import Watcher
from backend.privacy.rights import erase_due
from backend.sales.calling_off import give_back_cancelled
from backend.sales.expiry import expire_holds
from backend.sales.payments.chain_watch import release_due, watch
from backend.sales.payments.delivery import deliver
from backend.sales.payments.outbox import run_due
from backend.sales.payments.reconcile import reconcile
from backend.sales.waiting_list import offer_returned
from backend.settings import Settings, settings_from
from backend.wiring import Services, wire

DEVELOPMENT_WAIT_SECONDS = 1  # nobody wants to watch a batch wait
CHAIN_SECONDS = 0.25  # between two looks at the chain
PATIENCE_SECONDS = 300.0  # with the database; the check after an incident takes seconds for a million tickets
TELLING_SECONDS = 60.0  # of those who tell people; a thread of theirs notices a silent database long before
WORK_NICENESS = 5  # where a sale wants the same core, the buyer comes first (docs/decisions/0015-express.md)


def work() -> None:
    """Do the platform's work in the background until stopped. Any number of workers may run; one leads each task."""
    settings = settings_from(os.environ)
    sensors = sensors_of(settings.data_dir)
    require_services(settings.alert_urls)
    require_current_schema(settings)
    os.nice(WORK_NICENESS)
    configure_logs("work")
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_ignored: stop.set())
    services, transport, http = wire(settings, patience_seconds=PATIENCE_SECONDS), Transport(), SensorHttp()
    # People are told also while the standby is silent.
    telling = make_engine(settings.database_url, safe_commits=False, patience_seconds=TELLING_SECONDS)
    try:
        with read(services.engine) as connection:
            restored = waiting(connection) is not None
        typer.echo(_("The worker runs."))
        if restored:  # the crew asks before every round of every task; the watcher has people told
            typer.echo(_("The database was restored: nothing but telling people is done before truestub reconcile"))
        holder = f"{socket.gethostname()}-{os.getpid()}-{token_hex(4)}"
        book = Book(services.secret)
        sending = Sending(telling, settings, book, OrderSending(telling, settings, services.secret))
        watcher = Watcher(
            telling,
            settings.data_dir,
            settings.signer_socket,
            services.clock,
            holder,
            enqueue,
            sending.alarm_of_database,
            OutageTeller(Kept(settings.data_dir, book), sending.tell_of_outage),
        )
        Thread(target=watcher.run, args=(stop,), name="watcher", daemon=True).start()
        nodes = [Node(url, transport) for url in settings.node_urls]
        tellers = (telling, telling_tasks(telling, sending.send, nodes), holder, stop)
        Thread(target=run_tasks, args=tellers, name="telling", daemon=True).start()
        sense = Task("sensors", READ_EVERY_SECONDS, lambda _held: read_sensors(services.engine, sensors, http.ask))
        run_tasks(services.engine, [*tasks_of(services, nodes), sense], holder, stop)
    finally:
        http.close()
        transport.close()
        telling.dispose()
        services.close()


def tasks_of(services: Services, nodes: Sequence[Node]) -> list[Task]:
    """What a worker does with rows, payments and the chain."""
    settings, engine = services.settings, services.engine
    tasks = [
        Task("batcher", 0.25, lambda _held: close_batches(engine, _wait_seconds(settings))),
        Task("holds", 1.0, lambda _held: expire_holds(engine)),
        Task("waiting-list", 1.0, lambda _held: offer_returned(engine, services.tills, services.secret)),
        Task("cancelled", 1.0, lambda _held: give_back_cancelled(engine)),
        Task("refunds", 1.0, lambda _held: run_due(engine, services.payments)),
        Task("payments", 2.0, lambda _held: reconcile(engine, services.tills, services.payments)),
        Task("marks", 1.0, lambda _held: ask_for_marks(engine, _redeem_wait_ms(settings))),
        Task("keys", 5.0, lambda _held: mirror_keys(engine)),
        Task("bundles", 1.0, lambda _held: refresh(engine, services.signer)),
    ]
    tasks += [
        Task("privacy", 3600.0, lambda _held: erase_due(engine, services.secret)),
        Task("forget", 600.0, lambda _held: tidy(engine)),
    ]
    bank = services.bank
    if bank is not None:
        tasks.append(Task("bank", 0.5, lambda _held: deliver(bank, settings.public_url, time.time())))
    money = services.chain
    if money is not None:
        tasks.append(Task("chain-money", 0.5, lambda _held: watch(engine, services.tills, money)))
        tasks.append(Task("release", 60.0, lambda _held: release_due(engine)))
    if nodes:
        chain = ChainWorker(engine, settings, nodes, ensure_chain_keys(settings))
        tasks.append(Task("chain", CHAIN_SECONDS, chain.round))
    return tasks


def telling_tasks(engine: Engine, send: Sender, nodes: Sequence[Node]) -> list[Task]:
    """Telling people. `engine` waits for no standby: what is sent twice after a failover has the same id.

    News of an incident waits neither for letters to buyers nor for strangers who ask to be told.
    """

    def compare() -> Verified | None:
        return verify_by_any(engine, nodes, COMPARED_OF_EVENT)

    def news(since_ms: int) -> int:
        return spread(engine, since_ms) + send_due(engine, send, OF_INCIDENTS, since_ms)

    return [
        Task("reports", 2.0, lambda _held: write_reports(engine, compare)),
        Task("notices", 1.0, lambda _held: news(0), at_rest=news),
        Task("confirmations", 1.0, lambda _held: send_due(engine, send, (CONFIRM,))),
        Task("letters", 1.0, lambda _held: release_receipts(engine) + send_due(engine, send, (LETTER,))),
    ]


def _redeem_wait_ms(settings: Settings) -> int:
    return DEVELOPMENT_WAIT_SECONDS * 1000 if settings.environment == "development" else REDEEM_WAIT_MS


def _wait_seconds(settings: Settings) -> int:
    development = settings.environment == "development"
    return min(settings.batch_wait_seconds, DEVELOPMENT_WAIT_SECONDS) if development else settings.batch_wait_seconds
