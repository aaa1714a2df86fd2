"""The shop as a guest with a cheap phone uses it: with and without scripts, on good and on bad days."""

import pytest
from playwright.sync_api import Browser, Page, expect

from backend.db.clock import now_ms
from backend.ops.incident_store import close, post
from tests.pages.shop_page import Shop, choose, expect_title, guest, order_of, pay, see

FIRST_PAGE_BYTES = 100_000  # issue 3


def test_a_guest_buys_and_sees_the_tickets_get_ready_without_loading_again(shop: Shop, page: Page) -> None:
    choose(page, shop.put_on_sale("journey"))
    expect(page.locator(".hold .clock")).to_be_visible()
    pay(page)
    expect_title(page, "Paid. Your tickets are being made")
    shop.make_ready(page)
    expect_title(page, "Your tickets are ready")
    expect(page.get_by_role("button", name="Put them in the wallet")).to_be_visible()


def test_buying_works_without_javascript(shop: Shop, browser: Browser) -> None:
    with guest(browser, scripts=False) as context:
        page = context.new_page()
        choose(page, shop.put_on_sale("plain"))
        pay(page)
        expect_title(page, "Paid. Your tickets are being made")
        shop.make_ready(page)
        page.get_by_role("link", name="Look again").click()
        expect_title(page, "Your tickets are ready")


def test_the_order_secret_is_in_no_address(shop: Shop, page: Page) -> None:
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    choose(page, shop.put_on_sale("secret"))
    pay(page)
    expect_title(page, "Paid. Your tickets are being made")
    page.get_by_text("Keep the receipt").click()
    secret = page.locator("#receipt").input_value().split()[3]
    assert len(secret) > 40
    assert all(secret not in address for address in addresses)
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Lax" for cookie in page.context.cookies())


def test_another_browser_opens_the_order_with_its_receipt_only(shop: Shop, page: Page, browser: Browser) -> None:
    choose(page, shop.put_on_sale("receipt"))
    pay(page)
    expect_title(page, "Paid. Your tickets are being made")
    receipt = page.locator("#receipt").input_value()
    with guest(browser) as elsewhere:
        other = elsewhere.new_page()
        answer = other.goto(page.url)
        assert answer is not None
        assert answer.status == 403
        expect_title(other, "This page is not open to you")
        other.goto(f"{shop.url}/orders")
        other.locator("#receipt").fill(receipt)
        other.get_by_role("button", name="Open the order").click()
        expect_title(other, "Paid. Your tickets are being made")


def test_a_declined_card_takes_nothing_and_keeps_the_hold(shop: Shop, page: Page) -> None:
    choose(page, shop.put_on_sale("declined"))
    pay(page, "decline")
    expect(page.get_by_text("No money was taken and your tickets are still held")).to_be_visible()
    pay(page)
    expect_title(page, "Paid. Your tickets are being made")


def test_a_hold_run_out_says_so_and_leads_back(shop: Shop, page: Page) -> None:
    event = shop.put_on_sale("late")
    choose(page, event)
    shop.end_hold(page)
    expect_title(page, "The time has run out")  # the page hears of it by itself
    expect(page.get_by_text("nothing was charged")).to_be_visible()
    page.get_by_role("button", name="Choose again").click()
    page.wait_for_url(event)


def test_paying_after_the_hold_ran_out_takes_nothing(shop: Shop, browser: Browser) -> None:
    with guest(browser, scripts=False) as context:
        page = context.new_page()
        choose(page, shop.put_on_sale("too-late", floor=2))
        shop.end_hold(page)
        with guest(browser, scripts=False) as faster:
            choose(faster.new_page(), f"{shop.url}/events/too-late", 2)
        pay(page)
        expect_title(page, "The time has run out")
        expect(page.get_by_role("alert")).to_contain_text("The time to pay has run out")


def test_the_back_button_after_paying_neither_buys_again_nor_lies(shop: Shop, page: Page) -> None:
    choose(page, shop.put_on_sale("back"))
    order = page.url
    pay(page)
    expect_title(page, "Paid. Your tickets are being made")
    page.go_back()
    page.goto(order)
    expect_title(page, "Paid. Your tickets are being made")
    assert page.locator("form[action$='/pay']").count() == 0


def test_paying_in_two_tabs_buys_once(shop: Shop, page: Page) -> None:
    choose(page, shop.put_on_sale("tabs"))
    second = page.context.new_page()
    second.goto(page.url)
    pay(page)
    expect_title(page, "Paid. Your tickets are being made")
    expect_title(second, "Paid. Your tickets are being made")  # the other tab hears of it
    assert order_of(page) == order_of(second)


def test_sold_out_keeps_the_choice_and_says_what_to_do(shop: Shop, page: Page, browser: Browser) -> None:
    event = shop.put_on_sale("full", floor=3)
    page.goto(event)
    page.locator("select").first.select_option("3")
    with guest(browser) as faster:
        choose(faster.new_page(), event, 2)
    page.locator("#choose .pay-bar button").click()
    expect(page.get_by_role("alert")).to_contain_text("Only 1 ticket of this kind is left")
    expect(page.locator("select").first).to_have_value("3")


def test_an_event_page_sent_twice_holds_once(shop: Shop, page: Page) -> None:
    event = shop.put_on_sale("twice")
    page.goto(event)
    fields = page.locator("#choose").evaluate("form => Object.fromEntries(new FormData(form))")
    fields["quantity-floor"] = "2"
    first = page.request.post(event, form=fields, max_redirects=0).headers["location"]
    assert page.request.post(event, form=fields, max_redirects=0).headers["location"] == first


def test_a_form_from_another_site_is_refused(shop: Shop, page: Page) -> None:
    event = shop.put_on_sale("forged")
    page.goto(event)
    answer = page.request.post(event, form={"quantity-floor": "1"}, headers={"Accept": "text/html"})
    assert answer.status == 400
    assert "send it once more" in answer.text()


def test_a_page_that_lies_open_tells_what_broke_meanwhile(shop: Shop, page: Page) -> None:
    """And that it is over; nobody has to load it again."""
    page.goto(shop.put_on_sale("lies-open"))
    banner = page.locator(".banner")
    with shop.engine.begin() as connection:
        texts = ("Cards of one bank fail.", None)
        incident, _note = post(connection, "posted", "sales", "down", texts, now_ms(connection))
    expect(banner).to_contain_text("Cards of one bank fail.")
    with shop.engine.begin() as connection:
        close(connection, incident, now_ms(connection))
    expect(banner).not_to_contain_text("Cards of one bank fail.")


def test_waiting_for_the_chain_is_said_in_the_order_the_banner_and_the_status(shop: Shop, page: Page) -> None:
    choose(page, shop.put_on_sale("waits"))
    pay(page)
    shop.make_ready(page)
    with shop.node_away():
        expect(page.get_by_text("Your tickets are valid and will let you in")).to_be_visible()
        page.goto(f"{shop.url}/status")
        expect_title(page, "Something waits")
        expect(page.get_by_text("the chain node does not answer").first).to_be_visible()
        expect(page.locator("time[data-local]").first).to_be_visible()
        page.goto(shop.url)
        expect(page.locator(".banner")).to_contain_text("See what works")


def test_streams_never_take_all_threads_and_pages_fall_back_to_looking(shop: Shop, page: Page) -> None:
    choose(page, shop.put_on_sale("streams"))
    pay(page)
    expect_title(page, "Paid. Your tickets are being made")
    page.route("**/stream", lambda route: route.fulfill(status=204))
    page.reload()
    shop.make_ready(page)
    expect_title(page, "Your tickets are ready")


def test_the_status_is_json_for_programs(shop: Shop, page: Page) -> None:
    answer = page.request.get(f"{shop.url}/status", headers={"Accept": "application/json"})
    assert "components" in answer.json()


def test_the_first_page_weighs_at_most_100_kilobytes(shop: Shop, page: Page) -> None:
    shop.put_on_sale("light")
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    weighed: list[float] = []
    session.on("Network.loadingFinished", lambda told: weighed.append(told["encodedDataLength"]))
    page.goto(f"{shop.url}/events/light", wait_until="networkidle")
    assert len(weighed) >= 4
    assert sum(weighed) <= FIRST_PAGE_BYTES


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_the_reader_gets_own_words_money_and_times(shop: Shop, browser: Browser, language: str) -> None:
    event = shop.put_on_sale(f"words-{language.lower()}")
    with guest(browser, language) as context:
        page = context.new_page()
        page.goto(event)
        wanted = "Saturday 15 June 2030, 20:00" if language == "en-GB" else "2030年6月15日星期六 20:00"
        expect(page.locator(".facts time").first).to_have_text(wanted.replace("Saturday ", "Saturday, ", 1))
        expect(page.locator(".price").first).to_have_text("€49.50")
        page.locator("header nav a").last.click()
        expect(page.locator("html")).to_have_attribute("lang", "zh-Hans" if language == "en-GB" else "en")
        assert page.url == event


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_every_page_passes_axe_and_is_kept_as_a_picture(shop: Shop, browser: Browser, language: str) -> None:
    event = shop.put_on_sale(f"looks-{language.lower()}")
    with guest(browser, language) as context:
        page = context.new_page()
        see(page, shop.url, "shop-events", language)
        see(page, event, "shop-event", language)
        choose(page, event)
        see(page, page.url, "shop-order-held", language)
        order = page.url
        pay(page, "decline")
        see(page, order, "shop-order-declined", language)
        pay(page)
        expect(page.locator(".steps")).to_be_visible()
        see(page, order, "shop-order-paid", language)
        shop.make_ready(page)
        expect(page.locator("#to-wallet")).to_be_visible()
        with shop.node_away():
            see(page, order, "shop-order-minting-waits", language)
            see(page, f"{shop.url}/status", "shop-status", language)
        see(page, f"{shop.url}/orders", "shop-my-tickets", language)
        see(page, f"{shop.url}/nowhere", "shop-not-found", language)
        choose(page, event)
        shop.end_hold(page)
        see(page, page.url, "shop-order-expired", language)
