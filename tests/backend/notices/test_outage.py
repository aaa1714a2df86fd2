"""With the database away subscribers are told all the same: from a copy of theirs, and not again when it is back."""

import time
from collections.abc import Callable, Iterator
from threading import Event, Thread
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from backend.db.engine import make_engine, read
from backend.db.failures import Failure
from backend.notices import kept as kept_module
from backend.notices import outage as outage_module
from backend.notices.kept import Kept
from backend.notices.outage import OutageTeller
from backend.notices.outbox import NotSentError, enqueue
from backend.notices.sending import Sending
from backend.notices.subscribers import Book, Who
from backend.ops import watch
from backend.ops.watch import ALARM_MS, TELL_MS, Watcher
from backend.wiring import Services
from tests.backend.notices.conftest import Hook, Post
from tests.backend.notices.test_notices import ADDRESS, ask, confirmed, work

LONG_AGO = 60  # seconds; when the database went away


class Outage:
    """A watcher with a hand on its clock and on its database."""

    def __init__(self, services: Services, dead: Engine) -> None:
        self.services, self.dead = services, dead
        self.now = time.time()
        book = Book(services.secret)
        without_database = Sending(dead, services.settings, book)
        self.teller = OutageTeller(Kept(services.settings.data_dir, book), without_database.tell_of_outage)
        settings = services.settings
        self.watcher = Watcher(
            services.engine,
            settings.data_dir,
            settings.signer_socket,
            lambda: self.now,
            "w",
            enqueue,
            None,
            self.teller,
        )
        assert self.watcher.look()

    def begins(self) -> None:
        self.watcher._engine = self.dead
        self.now = time.time() - LONG_AGO
        assert not self.watcher.look()

    def lasts(self, milliseconds: int) -> None:
        self.now += milliseconds / 1000
        assert not self.watcher.look()

    def ends(self) -> None:
        self.watcher._engine = self.services.engine
        assert self.watcher.look()


@pytest.fixture
def dead() -> Iterator[Engine]:
    engine = make_engine("postgresql://127.0.0.1:1/none")
    yield engine
    engine.dispose()


@pytest.fixture
def subscribed(client: FlaskClient, services: Services, sending: Sending, post: Post, hook: Hook) -> None:
    """One by mail and one by webhook."""
    confirmed(client, services, sending, post)
    ask(client, hook.url, "webhook")
    work(services, sending)
    hook.got.clear()


@pytest.mark.usefixtures("subscribed")
def test_subscribers_hear_of_a_dead_database_while_it_is_dead_and_not_the_same_again(
    services: Services, sending: Sending, post: Post, hook: Hook, dead: Engine
) -> None:
    outage = Outage(services, dead)
    outage.begins()
    outage.lasts(TELL_MS - 1000)
    assert (post.letters, hook.got) == ([], []), "a standby that takes over is there before"
    outage.lasts(2000)
    wait_until(lambda: post.letters and hook.got)
    (letter,) = post.letters
    assert letter["To"] == ADDRESS
    assert "The database does not answer" in letter.get_content()
    assert letter.get_content().strip().endswith("http://shop.example/status")
    ((headers, _body),) = hook.got
    assert headers["webhook-signature"].startswith("v1,")
    (told,) = hook.bodies()
    assert (told["type"], told["incident"]["component"]) == ("incident.opened", "database")
    outage.lasts(10_000)
    outage.ends()
    work(services, sending)
    assert len(post.letters) == 1, "who was told already is not told again"
    assert [one["type"] for one in hook.bodies()] == ["incident.opened"]


@pytest.mark.usefixtures("subscribed")
def test_who_was_not_reached_is_tried_again_and_told_by_the_usual_way_in_the_end(
    services: Services, sending: Sending, post: Post, hook: Hook, dead: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage_module, "AGAIN_SECONDS", 0.05)
    hook.status, post.refuses = 500, True
    outage = Outage(services, dead)
    outage.begins()
    outage.lasts(TELL_MS)
    wait_until(lambda: len(hook.got) >= 2)
    post.refuses = False
    wait_until(lambda: post.letters)
    outage.ends()
    hook.status = 200
    hook.got.clear()
    work(services, sending)
    assert len(post.letters) == 1
    assert [one["type"] for one in hook.bodies()] == ["incident.opened"]


def test_a_letter_that_arrives_late_is_not_taken_for_one_of_the_next_outage(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever answers when the database is back already is told twice of that, but not kept from the next."""
    monkeypatch.setattr(outage_module, "LAST_SECONDS", 0.05)
    written: list[set[UUID]] = []
    monkeypatch.setattr(outage_module, "note_told", lambda _connection, _note, told: written.append(set(told)))
    ann, asked, slow, arrived = Who(uuid4(), "mail", ADDRESS, "en", "confirmed"), Event(), Event(), Event()

    def send(who: Who, since_ms: int, failure: Failure) -> None:
        if since_ms == 2:
            raise NotSentError
        asked.set()
        assert slow.wait(20)
        arrived.set()

    kept = Kept(services.settings.data_dir, Book(services.secret))
    monkeypatch.setattr(kept, "everybody", lambda: [ann])
    teller = OutageTeller(kept, send)
    with services.engine.connect() as connection:
        for since_ms in (1, 2):
            teller.begin(since_ms, "unreachable")
            assert asked.wait(20)
            teller.end()
            teller.write(connection, since_ms)
            slow.set()
            assert arrived.wait(20)
    assert written == [set(), set()]


def test_a_short_outage_wakes_nobody_and_a_watcher_that_did_not_lead_is_silent(
    services: Services, dead: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    outage = Outage(services, dead)
    monkeypatch.setattr(outage.teller, "begin", lambda since, _failure: told.append(since))
    outage.watcher._led = False
    outage.begins()
    outage.lasts(TELL_MS + 1)
    assert told == [], "the leader tells"
    outage.ends()
    outage.begins()
    outage.lasts(ALARM_MS)
    assert told == []
    outage.lasts(TELL_MS)
    assert len(told) == 1


def test_a_database_that_takes_a_question_and_never_answers_is_away_too(
    services: Services, dead: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = Outage(services, dead)
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watch, "HANGING_SECONDS", 0.05)
    stop = Event()
    monkeypatch.setattr(outage.watcher, "look", lambda: stop.wait(10))
    thread = Thread(target=outage.watcher.run, args=(stop,))
    thread.start()
    wait_until(lambda: outage.watcher._away_ms)
    stop.set()
    thread.join()


@pytest.mark.usefixtures("subscribed")
def test_the_copy_shows_nobodys_address_and_forgets_who_left(
    services: Services, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_module, "KEEP_SECONDS", 0)
    copy = Kept(services.settings.data_dir, Book(services.secret))

    def people() -> list[Who]:
        with read(services.engine) as connection:
            copy.renew(connection)
        return list(copy.everybody())

    assert {one.channel for one in people()} == {"mail", "webhook"}
    file = services.settings.data_dir / "subscribers.kept"
    assert ADDRESS.encode() not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    mail = next(one for one in people() if one.channel == "mail")
    assert client.post(f"/subscriptions/{Book(services.secret).token(mail.id)}/stop").status_code == 200
    assert {one.channel for one in people()} == {"webhook"}
    assert list(Kept(services.settings.data_dir, Book(bytes(32))).everybody()) == [], "of another installation"


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
