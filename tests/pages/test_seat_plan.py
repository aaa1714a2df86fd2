"""A guest's way through the shop by phone: seats picked in the drawing, more time, one back, the waiting list."""

from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy import select, update

from backend.db.tables.events import Event
from backend.db.tables.orders import Refund
from tests.pages.shop_page import Shop, choose, expect_title, guest, order_of, pay, see_here


def test_a_guest_picks_two_seats_in_the_plan_and_loses_only_the_one_somebody_else_got(
    shop: Shop, page: Page, browser: Browser
) -> None:
    event = shop.put_on_sale("plan")
    page.goto(event)
    seat = page.get_by_role("checkbox", name="Seat A-2", exact=True).and_(page.locator("use"))
    seat.click()
    expect(seat).to_have_attribute("aria-checked", "true")
    expect(page.locator("#total")).to_contain_text("1 ticket · €72.00")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator("#plan-said")).to_have_text("Seat A-3 chosen")
    expect(page.locator("#total")).to_contain_text("2 tickets · €144.00")
    with guest(browser, scripts=False) as elsewhere:  # the list does without the drawing and without scripts
        other = elsewhere.new_page()
        other.goto(event)
        other.locator("#plan a").first.click()  # a row of the drawing leads to the row in the list
        other.locator(".seat input[value=A-2]").check()
        other.locator("#choose .pay-bar button").click()
        other.wait_for_url("**/orders/*")
    page.locator("#choose .pay-bar button").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody was faster: A-2")
    taken, kept = (page.locator(f"use[data-seat={label}]") for label in ("A-2", "A-3"))
    expect(taken).to_have_attribute("aria-disabled", "true")
    expect(kept).to_have_attribute("aria-checked", "true")
    page.locator("use[data-seat=A-4]").click()
    page.locator("#choose .pay-bar button").click()
    page.wait_for_url("**/orders/*")
    expect(page.get_by_text("Seats A-3, A-4")).to_be_visible()


def test_the_plan_notices_by_itself_that_a_chosen_seat_was_taken(shop: Shop, page: Page, browser: Browser) -> None:
    event = shop.put_on_sale("refreshed")
    page.clock.install()
    page.goto(event)
    for label in ("B-1", "B-2"):
        page.locator(f"use[data-seat={label}]").click()
    with guest(browser, scripts=False) as elsewhere:
        other = elsewhere.new_page()
        other.goto(event)
        other.locator(".seat input[value=B-1]").check()
        other.locator("#choose .pay-bar button").click()
        other.wait_for_url("**/orders/*")
    page.wait_for_timeout(2_500)  # what the server remembers of the seats is two seconds old at most
    page.clock.run_for(11_000)
    expect(page.locator("#plan-said")).to_contain_text("Somebody was faster: B-1")
    expect(page.locator("#total")).to_contain_text("1 ticket")
    expect(page.locator("use[data-seat=B-2]")).to_have_attribute("aria-checked", "true")


def test_time_to_pay_is_extended_by_one_button_and_what_was_typed_stays(shop: Shop, page: Page) -> None:
    choose(page, shop.put_on_sale("more-time"))
    page.get_by_text("Leave a mail address").click()
    page.locator("#mail").fill("ann@example.org")
    shop.hold_for(page, seconds=100)
    page.reload()
    page.get_by_text("Leave a mail address").click()
    page.locator("#mail").fill("ann@example.org")
    expect(page.locator(".hold")).to_have_class("hold late")
    page.get_by_role("button", name="I need more time").click()
    expect(page.locator(".hold-words")).to_contain_text("7 more minutes")
    expect(page.locator(".more-time")).to_contain_text("5 more minutes each time, up to 9 more times")
    expect(page.locator("#said")).to_have_text("You have more time now.")
    expect(page.locator("#mail")).to_have_value("ann@example.org")


def test_more_time_is_asked_for_once_also_where_the_page_hears_of_it_before_the_answer(shop: Shop, page: Page) -> None:
    choose(page, shop.put_on_sale("told-early"))
    shop.hold_for(page, seconds=100)
    page.reload()
    page.get_by_text("Leave a mail address").click()
    page.locator("#mail").fill("ann@example.org")

    def answer_late(route: Route) -> None:
        answer = route.fetch()
        expect(page.locator(".hold-words")).to_contain_text("7 more minutes")
        route.fulfill(response=answer)

    page.route("**/extend", answer_late)
    page.get_by_role("button", name="I need more time").click()
    expect(page.locator("#said")).to_have_text("You have more time now.")
    expect(page.locator(".more-time")).to_contain_text("up to 9 more times")
    expect(page.locator("#mail")).to_have_value("ann@example.org")


def test_one_of_two_tickets_goes_back_for_the_amount_that_was_shown(shop: Shop, page: Page) -> None:
    event = shop.put_on_sale("giving-back")
    with shop.engine.begin() as connection:
        rules = {"refund_until_ms": Event.doors_ms, "refund_keep_bps": 1000}
        connection.execute(update(Event).where(Event.slug == "giving-back").values(rules))
    choose(page, event)
    order = page.url
    pay(page)
    expect_title(page, "Paid. Your tickets are being made")
    page.get_by_role("link", name="Give tickets back").click()
    see_here(page, "shop-refund-choose")
    page.locator("input[name=ticket]").first.uncheck()
    page.get_by_role("button", name="See what comes back").click()
    expect(page.locator(".stub .price")).to_have_text("€44.55")
    see_here(page, "shop-refund-confirm")
    page.get_by_role("button", name="Give back 1 ticket for €44.55").evaluate(
        """button => Promise.all([1, 2].map(() =>
             fetch(button.form.action, { method: "POST", body: new FormData(button.form) })))"""  # clicked twice
    )
    page.goto(order)
    with shop.engine.connect() as connection:
        assert connection.scalars(select(Refund.amount_minor).where(Refund.order_id == order_of(page))).all() == [4455]
    expect(page.get_by_text("Given back: €44.55 to you")).to_be_visible()
    expect(page.get_by_text("The organiser keeps €4.95.")).to_be_visible()


def test_sold_out_leads_to_the_waiting_list_and_from_there_to_the_tickets(
    shop: Shop, page: Page, browser: Browser
) -> None:
    event = shop.put_on_sale("sold-out-list", floor=2)
    with guest(browser) as elsewhere:
        choose(elsewhere.new_page(), event)
        first = elsewhere.pages[0]
        page.goto(event)
        page.locator("#waits-floor").select_option("2")
        page.locator("#mail-floor").fill("ann@example.org")
        page.get_by_role("button", name="Get on the list").click()
        expect(page.get_by_text("You are next in line")).to_be_visible()
        expect(page.get_by_text("You are mailed when tickets are offered to you")).to_be_visible()
        see_here(page, "shop-list-waiting")
        place = page.url
        first.get_by_role("button", name="Give the tickets back").click()
        expect_title(first, "Given back")
    shop.offer()
    page.goto(place)
    see_here(page, "shop-list-offered")
    page.get_by_role("button", name="Go on to payment").click()
    page.wait_for_url("**/orders/*")
    pay(page)
    expect_title(page, "Paid. Your tickets are being made")
    assert order_of(page)
