"""A shop with a real server, a real till and SQLite; no signer, worker or node, so that nothing moves by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import Engine, insert, select, update

from backend.db.clock import now_ms
from backend.db.engine import make_engine
from backend.db.tables.chain import Diagnosis
from backend.db.tables.events import Event, TicketClass
from backend.db.tables.orders import Order, Ticket
from backend.sales.installation import installation_secret
from backend.sales.till.till import Tills
from backend.sales.waiting_list import offer_returned
from tests.pages.looks import FOLDER, SCHEMES, violations
from tests.pages.phones import HEIGHT, WAIT_MS, WIDTH
from tests.support.installation import Installation, wait_until
from tests.support.shop import put_on_sale


@dataclass
class Shop:
    """The server's address, and its database: what a worker or a node would do, a test does itself."""

    url: str
    engine: Engine
    folder: Path

    def put_on_sale(self, slug: str, floor: int = 10) -> str:
        """An event with a name in two scripts; its address."""
        event_id = put_on_sale(self.engine, floor=floor, slug=slug)
        with self.engine.begin() as connection:
            names = {"name": "Summer Night 夏夜音乐会", "venue": "Riverside Hall"}
            connection.execute(update(Event).where(Event.id == event_id).values(names))
            connection.execute(update(TicketClass).where(TicketClass.event_id == event_id).values(zone=1))
        return f"{self.url}/events/{slug}"

    def end_hold(self, page: Page) -> None:
        """The time of the page's order has come."""
        self.hold_for(page, seconds=0)

    def hold_for(self, page: Page, seconds: int) -> None:
        """So much is left of the time of the page's order."""
        with self.engine.begin() as connection:
            ends = now_ms(connection) + 1000 * seconds - 1
            connection.execute(update(Order).where(Order.id == order_of(page)).values(hold_expires_ms=ends))

    def offer(self) -> None:
        """What the worker does: offer to the waiting list what came back."""
        secret = installation_secret(self.folder / "platform" / "keys")
        assert offer_returned(self.engine, Tills(self.engine), secret) == 1

    def make_ready(self, page: Page) -> None:
        """What the batcher does: the tickets of the page's order get their numbers."""
        with self.engine.begin() as connection:
            query = select(Ticket.id).where(Ticket.order_id == order_of(page)).order_by(Ticket.position)
            for index, ticket_id in enumerate(connection.execute(query).scalars().all()):
                number = int(ticket_id.int % 10_000) * 65_536 + index
                connection.execute(update(Ticket).where(Ticket.id == ticket_id).values(token_id=number))

    def call_off(self, page: Page, state: str = "refunded") -> None:
        """What giving an order back leads to, once the bank has answered."""
        with self.engine.begin() as connection:
            connection.execute(update(Ticket).where(Ticket.order_id == order_of(page)).values(state=state))
            connection.execute(update(Order).where(Order.id == order_of(page)).values(state=state))

    def put(self, slug: str, state: str) -> None:
        """The organiser's word on the event."""
        with self.engine.begin() as connection:
            connection.execute(update(Event).where(Event.slug == slug).values(state=state))

    @contextmanager
    def node_away(self) -> Iterator[None]:
        """The worker finds that no chain node answers."""
        with self.engine.begin() as connection:
            now = now_ms(connection)
            found: dict[str, Any] = {
                "chain": None,
                "kind": "unreachable",
                "detail": {},
                "opened_ms": now,
                "closed_ms": None,
            }
            connection.execute(insert(Diagnosis).values(found))
        try:
            yield
        finally:
            with self.engine.begin() as connection:
                connection.execute(update(Diagnosis).values(closed_ms=now_ms(connection)))


@contextmanager
def open_shop(folder: Path) -> Iterator[Shop]:
    """A web server of its own; `truestub web` as an operator starts it."""
    # No letter is sent without a worker; the pages offer to.
    made = Installation(folder, TRUESTUB_SMTP_URL="smtp://127.0.0.1:9", TRUESTUB_MAIL_FROM="shop@example.org")
    engine = None
    try:
        made.run("init")
        made.start("web")
        wait_until(made.web_answers, "the web server")
        engine = make_engine(made.database_url)
        yield Shop(made.url, engine, folder)
    finally:
        if engine is not None:
            engine.dispose()
        made.close()


def guest(browser: Browser, language: str = "en-GB", *, scripts: bool = True) -> BrowserContext:
    """A small phone of its own, without a history."""
    context = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, locale=language, java_script_enabled=scripts, has_touch=True
    )
    context.set_default_timeout(WAIT_MS)
    return context


def see(page: Page, address: str, name: str, language: str) -> None:
    """Open a page; keep its picture and let axe judge it, light and dark."""
    page.goto(address)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        FOLDER.mkdir(parents=True, exist_ok=True)
        file = FOLDER / f"{name}.{language[:2]}.{scheme}.png"
        is_long = name != "shop-event"  # whose bar sticks to the screen
        page.screenshot(path=file, full_page=is_long, animations="disabled")
        found = violations(page)
        assert not found, f"{name} in {language}, {scheme}: {found}"


def see_here(page: Page, name: str) -> None:
    """`see` for the page that is open, in English."""
    see(page, page.url, name, "en")


def order_of(page: Page) -> UUID:
    return UUID(page.url.rpartition("/")[2])


def choose(page: Page, event: str, floor: int = 2) -> None:
    """Open the event, choose, and come to the order's page."""
    page.goto(event)
    page.locator("select[name^=quantity-]").first.select_option(str(floor))
    page.locator("#choose .pay-bar button").click()
    page.wait_for_url("**/orders/*")


def pay(page: Page, token: str = "approve") -> None:
    page.locator(f"input[name=token][value={token}]").check()
    page.locator("form[action$='/pay'] button").click()


def expect_title(page: Page, words: str) -> None:
    expect(page.locator("h1")).to_have_text(words)
