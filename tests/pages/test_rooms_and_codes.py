"""A great on-sale by phone: the waiting room, a presale by code, and tickets that cost nothing."""

import re
import time
from uuid import UUID

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import insert, select, update

from backend.db.clock import now_ms
from backend.db.tables.events import Event, TicketClass, WaitingRoom
from backend.sales.codes import Offer, make_codes
from backend.sales.installation import installation_secret
from backend.waiting_room.rules import Room, rank_of
from backend.waiting_room.tokens import read_place
from tests.pages.phones import WAIT_MS
from tests.pages.shop_page import Shop, choose, expect_title, pay, see_here

HOUR = 3_600_000
RATE = 60  # a minute


def set_start(shop: Shop, slug: str, starts_in: int, crowd: int = 0) -> None:
    """When the sale starts, in ms from now, and how many are in its waiting room before that."""
    with shop.engine.begin() as connection:
        event_id: UUID = connection.execute(select(Event.id).where(Event.slug == slug)).scalar_one()
        starts = now_ms(connection) + starts_in
        connection.execute(update(Event).where(Event.id == event_id).values(sale_starts_ms=starts))
        values = {"starts_ms": starts, **({"early_count": crowd} if crowd else {})}
        if not connection.execute(update(WaitingRoom).where(WaitingRoom.event_id == event_id).values(values)).rowcount:
            room = {"event_id": event_id, "opens_ms": starts - 2 * HOUR, "rate_per_minute": RATE, "seed": bytes(32)}
            connection.execute(insert(WaitingRoom).values(**room, **values))


def crowd_before(shop: Shop, page: Page, ahead: int) -> int:
    """How many must wait, so that the draw puts so many before the page's visitor."""
    secret = installation_secret(shop.folder / "platform" / "keys")
    (token,) = [str(one["value"]) for one in page.context.cookies(page.url) if one["name"] == "waiting-place"]
    place = read_place(secret, token)
    assert place is not None
    many = 1 << 40
    return ahead * many // rank_of(Room(place.event_id, 0, 0, RATE, bytes(32), many), place) + 1


def look_until(page: Page, words: str) -> None:
    """As the page does by itself, only sooner: the server's knowledge of the room is a second old at most."""
    ends = time.monotonic() + WAIT_MS / 1000
    while page.get_by_text(words).count() == 0:
        assert time.monotonic() < ends, words
        page.reload()


def test_who_waits_before_the_start_is_drawn_sees_place_and_time_is_let_in_and_buys(shop: Shop, page: Page) -> None:
    event = shop.put_on_sale("on-sale")
    set_start(shop, "on-sale", starts_in=HOUR)
    page.goto(event)
    see_here(page, "shop-room-join")
    page.get_by_role("button", name="Take a place").click()
    expect(page.get_by_text("You have a place")).to_be_visible()
    see_here(page, "shop-room-early")
    crowd = crowd_before(shop, page, 12_345)
    set_start(shop, "on-sale", starts_in=0, crowd=crowd)
    look_until(page, "people are before you")
    expect(page.get_by_text("Your turn comes at about")).to_be_visible()
    set_start(shop, "on-sale", starts_in=-10_000 * 60_000 // RATE)
    look_until(page, "more minutes")
    see_here(page, "shop-room-place")
    told = page.locator(".notice").inner_text()
    ahead, minutes = (int(found.replace(",", "")) for found in re.findall(r"([\d,]+) (?:people|more minute)", told))
    assert 2_000 < ahead <= 2_345
    assert ahead / RATE == pytest.approx(minutes, abs=1)
    set_start(shop, "on-sale", starts_in=-12_400 * 60_000 // RATE)
    look_until(page, "Continue to payment")
    assert page.url == event
    choose(page, event, 1)
    pay(page)
    expect_title(page, "Paid. Your ticket is being made")
    page.goto(event)
    page.locator("select[name^=quantity-]").first.select_option("1")
    page.locator("#choose .pay-bar button").click()
    expect(page.get_by_role("alert")).to_contain_text("was good for one order")


def test_a_presale_code_opens_the_sale_early_and_shows_its_price(shop: Shop, page: Page) -> None:
    event = shop.put_on_sale("presale")
    with shop.engine.begin() as connection:
        starts = now_ms(connection) + HOUR
        connection.execute(update(Event).where(Event.slug == "presale").values(sale_starts_ms=starts))
    (code,) = make_codes(shop.engine, "presale", Offer("friends", discount_bps=5_000, presale=True))
    page.goto(event)
    page.locator("select[name^=quantity-]").first.select_option("1")
    page.locator("#choose .pay-bar button").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.locator("#code").fill("WRONG-CODE")
    page.locator("#choose .pay-bar button").click()
    expect(page.locator("#code")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#code-help")).to_contain_text("There is no such code")
    expect(page.locator("select[name^=quantity-]").first).to_have_value("1")
    page.locator("#code").fill(code.lower().replace("-", " "))
    page.locator("#choose .pay-bar button").click()
    page.wait_for_url("**/orders/*")
    see_here(page, "shop-code-price")
    expect(page.get_by_role("button", name="Pay €24.75")).to_be_visible()


def test_a_ticket_that_costs_nothing_is_one_button(shop: Shop, page: Page) -> None:
    event = shop.put_on_sale("free")
    with shop.engine.begin() as connection:
        mine = select(Event.id).where(Event.slug == "free").scalar_subquery()
        connection.execute(update(TicketClass).where(TicketClass.event_id == mine).values(price_minor=0))
    choose(page, event, 1)
    see_here(page, "shop-free")
    page.get_by_role("button", name="Get the ticket").click()
    expect_title(page, "Paid. Your ticket is being made")
