"""The organiser at a phone, with an event that is out: who waits for it, and what becomes of it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.pages.desk_page import House, create_event, open_house, see, see_everywhere, sign_in, visitor
from tests.pages.phones import Watched

MAIL = "waiting@planted.example"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("desk"), "carla", "dora") as opened:
        yield opened


def put_on_sale(page: Page, slug: str, standing: int = 100) -> None:
    create_event(page, slug)
    page.locator("[id=class-1-capacity]").fill(str(standing))
    page.get_by_role("button", name="Put it on sale").click()
    page.wait_for_url(f"**/desk/events/{slug}")


def buy(context: BrowserContext, house: House, slug: str, quantity: int = 2) -> Page:
    """A guest's page with their paid order."""
    page = context.new_page()
    page.goto(f"{house.url}/events/{slug}")
    page.locator("#quantity-standing").select_option(str(quantity))
    page.locator("#choose .pay-bar button").click()
    page.wait_for_url("**/orders/*")
    page.locator("form[action$='/pay'] button").click()
    expect(page.locator("h1")).to_have_text("Paid. Your tickets are being made")
    return page


def test_the_organiser_sees_who_waits_and_takes_somebody_off_at_their_wish(house: House, browser: Browser) -> None:
    with visitor(browser) as context, visitor(browser) as guests, visitor(browser) as others:
        page = context.new_page()
        watched = Watched(page)
        sign_in(page, house, "carla")
        put_on_sale(page, "small-night", standing=2)
        page.get_by_role("button", name="Waiting list").click()
        expect(page.get_by_text("Nobody waits")).to_be_visible()
        see(page, "waiting-list-empty")
        buy(guests, house, "small-night")
        wish = {"class": "standing", "quantity": 2, "mail": MAIL}
        api = f"{house.url}/api/v1/events/small-night/waiting-list"
        assert guests.request.post(api, data=wish, headers={"Idempotency-Key": "first-in-line-01"}).status == 201
        place = others.new_page()
        place.goto(f"{house.url}/events/small-night")
        place.get_by_role("button", name="Get on the list").click()
        place.wait_for_url("**/waiting-list/*")

        page.reload()
        expect(page.locator("tbody").last.locator("tr")).to_have_count(2)
        expect(page.get_by_text(MAIL)).to_have_count(0)
        see_everywhere(page, house, "waiting-list")
        page.get_by_role("button", name="Show mail addresses").click()
        expect(page.get_by_text(MAIL)).to_be_visible()
        see(page, "waiting-list-addresses")
        page.locator("#wanted").fill(place.url)
        page.get_by_role("button", name="Find").click()
        expect(page.locator("tbody").last.locator("tr")).to_have_count(1)
        page.locator("tbody").last.locator("td a").first.click()
        see_everywhere(page, house, "waiter")
        page.get_by_label("the page with their place in line").check()
        page.get_by_role("button", name="Take them off the list").click()
        expect(page.get_by_text("Out of line")).to_be_visible()
        place.reload()
        expect(place.get_by_text("You have left the waiting list")).to_be_visible()
        page.goto(f"{house.url}/desk/events/small-night/waiting-list")
        with page.expect_download() as downloading:
            page.get_by_role("button", name="Download as CSV").click()
        rows = downloading.value.path().read_text(encoding="utf-8-sig").splitlines()
        assert [MAIL in row for row in rows] == [False, True, False]
        page.goto(f"{house.url}/desk/audit")
        expect(page.get_by_text("took somebody off a waiting list")).to_be_visible()
        assert watched.complaints == []


def test_the_organiser_moves_the_start_of_the_sale_and_makes_refunds_kinder(house: House, browser: Browser) -> None:
    with visitor(browser) as context, visitor(browser) as guests:
        page = context.new_page()
        watched = Watched(page)
        sign_in(page, house, "dora")
        create_event(page, "on-sale-night")
        page.get_by_text("Start of the sale, waiting room, giving back").click()
        for name, value in {
            "sale_starts": "2030-05-01T12:00",
            "waiting_room-opens": "2030-05-01T11:00",
            "waiting_room-rate_per_minute": "600",
            "refunds-until": "2030-06-01T12:00",
            "refunds-keep_percent": "10",
        }.items():
            page.locator(f"[id='{name}']").fill(value)
        page.get_by_label("Buyers may give tickets back by themselves").check()
        page.get_by_role("button", name="Put it on sale").click()
        page.wait_for_url("**/desk/events/on-sale-night")
        page.get_by_role("button", name="Change").click()
        see_everywhere(page, house, "edit-terms")
        page.locator("#sale_starts").fill("2030-05-02T12:00")
        page.locator("[id='refunds-keep_percent']").fill("5")
        page.get_by_role("button", name="Save", exact=True).click()
        page.wait_for_url("**/desk/events/on-sale-night")
        shop = guests.new_page()
        shop.goto(f"{house.url}/events/on-sale-night?presale")
        expect(shop.get_by_text("2 May 2030").first).to_be_visible()
        page.get_by_role("button", name="Change").click()
        expect(page.locator("[id='refunds-keep_percent']")).to_have_value("5")
        page.locator("#sale_starts").fill("2020-05-02T12:00")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator("#sale_starts")).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_text("Nothing was changed.")).to_be_visible()
        see(page, "edit-terms-refused")
        assert watched.complaints == []


def test_finance_books_a_dispute_of_a_part_and_that_it_was_won(house: House, browser: Browser) -> None:
    with visitor(browser) as context, visitor(browser) as guests:
        page = context.new_page()
        watched = Watched(page)
        sign_in(page, house, "dora")
        put_on_sale(page, "card-night")
        number = buy(guests, house, "card-night").url.rpartition("/")[2]
        page.goto(f"{house.url}/desk/orders/{number}")
        page.get_by_text("Book a dispute").click()
        page.locator("#dispute").fill("CASE-17")
        page.locator("#amount").fill("15.00")
        see(page, "dispute")
        page.get_by_role("button", name="Book it").click()
        expect(page.get_by_text("A bank took €15.00 back")).to_be_visible()
        see_everywhere(page, house, "disputed")
        page.get_by_role("button", name="The dispute is won, the money is back").click()
        expect(page.get_by_text("€15.00 came back")).to_be_visible()
        see(page, "dispute-won")
        page.goto(f"{house.url}/desk/audit")
        expect(page.get_by_text("booked a dispute").first).to_be_visible()
        assert watched.complaints == []


def test_the_organiser_moves_an_event_and_its_buyers_pages_say_so(house: House, browser: Browser) -> None:
    with visitor(browser) as context, visitor(browser) as guests, visitor(browser) as others:
        page = context.new_page()
        watched = Watched(page)
        sign_in(page, house, "carla")
        put_on_sale(page, "moved-night")
        bought = buy(guests, house, "moved-night")
        page.get_by_text("Move the event to another time").click()
        expect(page.locator("#starts")).to_have_value("2030-06-15T20:00")
        see_everywhere(page, house, "postpone")

        # a slip of the pen moves nothing, and is said
        page.locator("#ends").fill("2030-06-14T23:00")
        page.get_by_role("button", name="Move the event").click()
        expect(page.get_by_text("Nothing was changed.")).to_be_visible()
        expect(page.locator("#ends")).to_have_value("2030-06-14T23:00")
        see(page, "postpone-refused")
        for name, value in {
            "doors": "2030-07-20T18:00",
            "starts": "2030-07-20T20:30",
            "ends": "2030-07-20T23:00",
            "freeze": "",
        }.items():
            page.locator(f"#{name}").fill(value)
        page.get_by_role("button", name="Move the event").click()
        page.wait_for_url("**/desk/events/moved-night")
        expect(page.get_by_text("20 July 2030").first).to_be_visible()
        see(page, "postponed")

        # who has bought, who comes now, and who has bought since
        bought.reload()
        expect(bought.get_by_text("The event has another time")).to_be_visible()
        expect(bought.get_by_text("20 July 2030").first).to_be_visible()
        expect(bought.get_by_text("15 June 2030")).to_be_visible()
        see_everywhere(bought, house, "shop-order-moved")
        late = buy(others, house, "moved-night")
        expect(late.get_by_text("The event has another time")).to_have_count(0)
        late.goto(f"{house.url}/events/moved-night")
        expect(late.get_by_text("This event has another time")).to_be_visible()
        see_everywhere(late, house, "shop-event-moved")

        # the whole price goes back to who can't come
        bought.get_by_text("give them back for the whole price").click()
        bought.wait_for_url("**/refund")
        bought.get_by_role("button", name="See what comes back").click()
        expect(bought.get_by_text("€99.00").first).to_be_visible()
        see(bought, "shop-refund-moved")
        page.goto(f"{house.url}/desk/audit")
        expect(page.get_by_text("moved an event to another time").first).to_be_visible()
        assert watched.complaints == []
