"""A worker on a restored database has people told why sales are closed, and does nothing else before `reconcile`."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from backend.app import create_app
from backend.db.engine import read
from backend.db.tables.chain import Lease
from backend.db.tables.orders import Order, Outbox
from backend.db.tables.telling import Incident, IncidentNote
from backend.notices.outbox import SPREAD, enqueue
from backend.notices.subscribers import Book, confirm
from backend.ops import incident_store
from backend.ops.reconcile import WORKER_TASKS, reconcile_all
from backend.ops.restore import mark
from backend.ops.status import status_now
from backend.sales.installation import ensure_platform
from backend.sales.payments.outbox import REFUND
from backend.sales.refunds import Wish, refund
from backend.settings import settings_from
from backend.wiring import Services, wire
from tests.faults.load import Subscriber
from tests.support.buyer import Buyer
from tests.support.forked_worker import end_worker, start_worker
from tests.support.installation import Installation, wait_until
from tests.support.shop import put_on_sale

BACKUP_AGE_SECONDS = 60
LONG_AGO_MS = 1


def test_a_worker_tells_of_a_restored_database_and_touches_nothing_before_it_is_reconciled(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = Installation(tmp_path, database_url)
    installation.environ.pop("TRUESTUB_NODE_URLS")
    services = wire(settings_from(installation.environ))
    with services.engine.begin() as connection:
        ensure_platform(connection)
    event_id = put_on_sale(services.engine, floor=9)
    waiting_for_work(services, event_id)
    with services.engine.begin() as connection:
        now = connection.execute(select(func.max(Order.created_ms))).scalar_one()
        mark(connection, now // 1000 - BACKUP_AGE_SECONDS)
    subscriber = Subscriber()
    with services.engine.begin() as connection:
        who, _new = Book(services.secret).ask(connection, "webhook", subscriber.url, "en")
        confirm(connection, who)
    worker = start_worker(installation.environ, str(tmp_path / "work.log"))
    try:
        (told,) = wait_until(lambda: faults(services), "an incident")
        assert (told["component"], told["title"], told["state"]) == ("restore", "Restore", "down")
        assert told["sentence"].startswith("The shop was put back from a copy and is compared with bank and chain")
        wait_until(
            lambda: any("put back from a copy" in str(one) for one in subscriber.got), "the subscriber to be told"
        )
        assert not any("Told long ago" in str(one) for one in subscriber.got), "nothing from before"
        assert work_left(services) == (1, 1, 1), "a hold that is over, a refund to be sent, and news from before"
        assert not held(services), "truestub reconcile finds every task's lease free"
        assert worker.is_alive()
        monkeypatch.setattr("backend.sales.payments.reconcile.ASK_AFTER_SECONDS", 0)
        assert reconcile_all(services, [], "one").opened == 1
        wait_until(lambda: not faults(services), "the incident to close by itself")
        wait_until(lambda: work_left(services) == (0, 0, 0), "the tasks to go on")
        wait_until(lambda: any("Told long ago" in str(one) for one in subscriber.got), "what was to be told before")
        with read(services.engine) as connection:
            mine = (Incident.component != "signer") & (Incident.kind == "fault")
            rows = connection.execute(select(Incident.id, Incident.component, Incident.cause).where(mine)).all()
            of_it = IncidentNote.incident_id == rows[0].id
            notes = connection.scalars(select(IncidentNote.what).where(of_it).order_by(IncidentNote.id)).all()
        assert [row[1:] for row in rows] == [("restore", "restored")], "what was late waited for that, and is no fault"
        assert notes[:2] == ["opened", "closed"]
        end_worker(worker)
    finally:
        worker.kill()
        subscriber.close()
        services.close()
    assert "nothing but telling people is done before truestub reconcile" in (tmp_path / "work.log").read_text()


def waiting_for_work(services: Services, event_id: Any) -> None:
    """What a worker would do at once: end a hold whose time is over, send a refund, and tell what is to be told."""
    buyer = Buyer(create_app(services).test_client())
    paid = buyer.held({"class": "floor", "quantity": 2})
    assert buyer.pay(paid).status_code == 200
    over = buyer.held({"class": "floor", "quantity": 1})
    with services.engine.begin() as connection:
        connection.execute(update(Order).where(Order.state == "held").values(hold_expires_ms=1))
        order_id = connection.execute(select(Order.id).where(Order.state == "paid")).scalar_one()
    refund(services.engine, event_id, Wish(order_id, "organiser", "ill"))
    with services.engine.begin() as connection:
        _incident, note = incident_store.post(connection, "posted", "sales", "waits", ("Told long ago", None), 1)
        connection.execute(update(Incident).values(closed_ms=1))
        enqueue(connection, [note])
        connection.execute(update(Outbox).where(Outbox.topic == SPREAD).values(created_ms=LONG_AGO_MS))
    assert over["order_id"]
    assert work_left(services) == (1, 1, 1)


def work_left(services: Services) -> tuple[int, int, int]:
    """Holds to end, refunds to send, and news from before the restore."""
    with read(services.engine) as connection:
        holds = connection.scalar(select(func.count()).where(Order.state == "held"))
        rows = select(Outbox.topic).where(Outbox.state == "waiting", Outbox.created_ms <= LONG_AGO_MS)
        old = connection.scalars(rows.where(Outbox.topic == SPREAD)).all()
        refunds = connection.scalars(select(Outbox.id).where(Outbox.state == "waiting", Outbox.topic == REFUND)).all()
    return holds or 0, len(refunds), len(old)


def held(services: Services) -> list[str]:
    with read(services.engine) as connection:
        query = select(Lease.name).where(Lease.expires_ms > 0, Lease.name.in_(WORKER_TASKS))
        return list(connection.scalars(query))


def faults(services: Services) -> list[dict[str, Any]]:
    told = status_now(services.engine, services.settings.signer_socket, services.settings.data_dir)
    # No signer runs here: its silence is a fault of its own.
    return [one for one in told["incidents"] if one["component"] != "signer"]
