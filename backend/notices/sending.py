"""From an outbox row to a letter on its way: note, incident and subscriber, in the reader's language."""

import json
import logging
import time
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select

from backend.db.engine import read
from backend.db.failures import Failure
from backend.db.tables.telling import IncidentNote
from backend.i18n import language, set_language
from backend.notices import mail, subscribers, webhook
from backend.notices.letters import Letter, confirm_letter, database_letter, incident_letter
from backend.notices.operators import services_of
from backend.notices.order_outbox import LETTER
from backend.notices.order_sending import OrderSending
from backend.notices.outbox import ALERT, CONFIRM, Item, NotSentError
from backend.notices.subscribers import Book, Who
from backend.ops.status import database_away, incident_now
from backend.settings import Settings

TOLD_SECONDS = 2.0  # for so long an incident is told as it was read
MAILED = ("opened", "said", "reported")  # what mail is sent of; webhooks hear of everything

_log = logging.getLogger(__name__)


class Sending:
    """Sends outbox items. Threads may call `send` at will."""

    def __init__(self, engine: Engine, settings: Settings, book: Book, orders: OrderSending | None = None) -> None:
        self._engine, self._settings, self._book, self._orders = engine, settings, book, orders
        self._failing: set[UUID] = set()  # subscribers whose last letter did not get through
        self._told: dict[tuple[int, str], tuple[float, tuple[dict[str, Any], str] | None]] = {}
        self._strangers = settings.environment == "production"

    def send(self, item: Item) -> None:
        """Send one; returns if nobody is left to be told. Raises `NotSentError`."""
        if item.topic == LETTER:
            if self._orders is None:
                raise NotSentError("letters to buyers are not sent here")
            self._orders.send(item)
            return
        if item.topic == ALERT:
            self._alert(item.payload["note"])
            return
        with read(self._engine) as connection:
            who = self._book.find(connection, UUID(item.payload["subscriber"]))
        if who is None:
            return
        if item.attempts == 0 and who.id in self._failing:
            raise NotSentError("it failed the last time: others go first")
        set_language(who.language)
        try:
            if item.topic == CONFIRM:
                self._confirm(who)
            elif who.state == "confirmed":
                self._tell(who, item.payload["note"])
        except NotSentError:
            self._failing.add(who.id)
            raise
        self._failing.discard(who.id)

    def tell_of_outage(self, who: Who, since_ms: int, failure: Failure) -> None:
        """Tell one subscriber that the database is away or takes nothing; needs none. Raises `NotSentError`."""
        set_language(who.language)
        self._send(who, database_away(since_ms, failure), "opened", f"outage-{since_ms}")

    def _tell(self, who: Who, note: int) -> None:
        told = self._incident(note)
        if told is not None:
            self._send(who, *told, f"note-{note}")

    def _send(self, who: Who, incident: dict[str, Any], what: str, message_id: str) -> None:
        if who.channel == "mail":
            if what in MAILED:
                letter = incident_letter(incident, what, self._settings.public_url)
                self._mail(who, letter, f"{message_id}.{who.id.hex}", self._link(who) + "/stop")
        else:
            body = json.dumps({"type": f"incident.{what}", "incident": incident}, ensure_ascii=False)
            self._post(who, message_id, body)

    def _confirm(self, who: Who) -> None:
        if who.channel == "mail":
            self._mail(who, confirm_letter(self._link(who)), f"confirm.{who.id.hex}", None)
            return
        challenge = self._book.token(who.id)
        said = self._post(
            who, f"confirm-{who.id.hex}", json.dumps({"type": "subscription.confirm", "challenge": challenge})
        )
        if challenge.encode() not in said:
            raise NotSentError("the webhook did not repeat the challenge")
        with self._engine.begin() as connection:
            subscribers.confirm(connection, who.id)

    def _alert(self, note: int) -> None:
        told = self._incident(note) if self._settings.alert_urls else None
        if told is not None:
            set_language("en")
            self.alert(incident_letter(*told, self._settings.public_url))

    def alert(self, letter: Letter) -> None:
        """Tell the operators over every service that is configured; raises `NotSentError` if one did not take it."""
        urls = self._settings.alert_urls
        if urls and not services_of(urls).notify(title=letter.subject, body=letter.text):
            raise NotSentError("a service did not take the alert")

    def alarm_of_database(self, failure: Failure) -> None:
        """Tell the operators that the database is away or takes nothing: no outbox can."""
        try:
            self.alert(database_letter(database_away(0, failure)["sentence"], self._settings.public_url))
        except NotSentError as error:
            _log.error("the alarm did not get through: %s", error)

    def _incident(self, note: int) -> tuple[dict[str, Any], str] | None:
        """The note's incident in the language set. Thousands are told of the same within seconds: it is read once."""
        name, now = (note, language()), time.monotonic()
        known = self._told.get(name)
        if known is None or now - known[0] > TOLD_SECONDS:
            self._told = {one: kept for one, kept in self._told.items() if now - kept[0] <= TOLD_SECONDS}
            known = self._told[name] = (now, self._read_incident(note))
        return known[1]

    def _read_incident(self, note: int) -> tuple[dict[str, Any], str] | None:
        with read(self._engine) as connection:
            query = select(IncidentNote.incident_id, IncidentNote.what).where(IncidentNote.id == note)
            row = connection.execute(query).one_or_none()
            found = incident_now(connection, row.incident_id) if row else None
        return (found, row.what) if row and found else None

    def _mail(self, who: Who, letter: Letter, message_id: str, stop: str | None) -> None:
        if not self._settings.smtp_url:
            raise NotSentError("no mail server is configured")
        try:
            mail.send(self._settings.smtp_url, self._settings.mail_from, who.address, letter, message_id, stop)
        except OSError as error:
            raise NotSentError(f"mail: {type(error).__name__}") from None

    def _post(self, who: Who, message_id: str, body: str) -> bytes:
        key = self._book.hook_key(who.id)
        try:
            return webhook.post(who.address, key, message_id, body.encode(), time.time(), strangers=self._strangers)
        except webhook.NotDeliveredError as error:
            raise NotSentError(f"webhook: {error.reason}") from None

    def _link(self, who: Who) -> str:
        return f"{self._settings.public_url}/subscriptions/{self._book.token(who.id)}"
