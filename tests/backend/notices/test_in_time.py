"""News of an incident waits for nothing else that is sent."""

from threading import Event, Thread

from flask.testing import FlaskClient
from sqlalchemy import insert

from backend.cli.work import telling_tasks
from backend.db.models import Outbox
from backend.notices.order_outbox import LETTER
from backend.notices.outbox import OF_INCIDENTS, Item, NotSentError
from backend.notices.sending import Sending
from backend.ops.crew import work as run_tasks
from backend.wiring import Services
from tests.backend.notices.conftest import Hook
from tests.backend.notices.test_notices import hooked, post_incident
from tests.support.installation import wait_until


def test_thousands_of_letters_to_buyers_and_a_mail_server_that_hangs_delay_no_news_of_an_incident(
    client: FlaskClient, services: Services, sending: Sending, hook: Hook
) -> None:
    hooked(client, services, sending, hook)
    with services.engine.begin() as connection:
        letter = {"topic": LETTER, "payload": {}, "state": "waiting", "attempts": 0, "due_ms": 0, "created_ms": 0}
        connection.execute(insert(Outbox), [{**letter, "key": f"letter:{one}"} for one in range(3000)])
    stop, hanging, freed = Event(), Event(), Event()

    def send(item: Item) -> None:
        if item.topic in OF_INCIDENTS:
            sending.send(item)
            return
        hanging.set()
        freed.wait(60)
        raise NotSentError("the mail server hangs")

    tasks = telling_tasks(services.engine, send, [])
    thread = Thread(target=run_tasks, args=(services.engine, tasks, "w", stop))
    thread.start()
    try:
        assert hanging.wait(20)
        number = post_incident(services)
        wait_until(lambda: any(one.get("incident", {}).get("id") == number for one in hook.bodies()), "the news")
    finally:
        freed.set()
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
