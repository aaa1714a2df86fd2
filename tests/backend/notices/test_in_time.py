"""News of an incident waits for nothing else that is sent."""

from threading import Event, Thread

from flask.testing import FlaskClient
from sqlalchemy import insert, update

from backend.cli.work import telling_tasks
from backend.db.tables.orders import Outbox
from backend.notices.order_outbox import LETTER
from backend.notices.outbox import ALERT, OF_INCIDENTS, REPEATS_AT_ONCE, Item, NotSentError, send_due
from backend.notices.sending import Sending
from backend.ops.crew import work as run_tasks
from backend.wiring import Services
from tests.backend.notices.conftest import Hook, Post
from tests.backend.notices.test_notices import confirmed, hooked, post_incident, work
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


def test_whoever_did_not_take_the_last_news_is_told_after_everybody_else(
    client: FlaskClient, services: Services, sending: Sending, post: Post, hook: Hook
) -> None:
    """Else strangers' webhooks that hang, each until its deadline, would hold up the news for all."""
    confirmed(client, services, sending, post)
    hooked(client, services, sending, hook)
    hook.status = 500
    post_incident(services)
    work(services, sending)
    tried = len(hook.got)
    post_incident(services)
    work(services, sending)
    assert len(post.letters) == 2
    assert len(hook.got) == tried, "not before it is due again"
    hook.status = 200
    with services.engine.begin() as connection:
        connection.execute(update(Outbox).values(due_ms=0))
    work(services, sending)
    assert len(hook.got) == tried + 2


def test_what_failed_before_takes_few_of_the_places_of_a_round(services: Services) -> None:
    row = {"topic": ALERT, "payload": {}, "state": "waiting", "due_ms": 0, "created_ms": 0}
    with services.engine.begin() as connection:
        failed = [{**row, "key": f"old:{one}", "attempts": 1} for one in range(2 * REPEATS_AT_ONCE)]
        connection.execute(insert(Outbox), [*failed, {**row, "key": "new", "attempts": 0}])
    sent: list[int] = []
    send_due(services.engine, lambda item: sent.append(item.attempts), [ALERT])
    assert sorted(sent) == [0] + [1] * REPEATS_AT_ONCE
