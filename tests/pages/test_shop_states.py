"""The shop's pages in every other state, in both languages: kept as pictures, judged by axe, and with a way on."""

import pytest
from playwright.sync_api import Browser, expect

from tests.pages.shop_page import Shop, choose, expect_title, guest, pay, see


@pytest.fixture(params=["en-GB", "zh-CN"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_states_of_an_order(shop: Shop, browser: Browser, language: str) -> None:
    event = shop.put_on_sale(f"orders-{language.lower()}")
    with guest(browser, language) as context:
        page = context.new_page()
        choose(page, event)
        pay(page, "late")
        expect(page.locator(".notice.wait")).to_be_visible()
        see(page, page.url, "shop-order-payment-under-way", language)
        choose(page, event)
        pay(page)
        expect(page.locator(".steps")).to_be_visible()
        shop.call_off(page)
        see(page, page.url, "shop-order-refunded", language)
        with guest(browser, language) as elsewhere:
            see(elsewhere.new_page(), page.url, "shop-forbidden", language)


def test_states_of_an_event(shop: Shop, browser: Browser, language: str) -> None:
    slug = f"states-{language.lower()}"
    event = shop.put_on_sale(slug)
    with guest(browser, language) as context:
        page = context.new_page()
        for state in ("cancelled", "paused", "over"):
            shop.put(slug, state)
            see(page, event, f"shop-event-{state}", language)
            assert page.locator("#choose .pay-bar").count() == 0
            expect(page.locator(".notice")).to_be_visible()


def test_states_of_a_shop_and_a_browser_that_hold_nothing(site: str, browser: Browser, language: str) -> None:
    with guest(browser, language) as context:
        page = context.new_page()
        see(page, site, "shop-no-events", language)
        see(page, f"{site}/orders", "shop-no-tickets", language)
        expect(page.locator("#receipt")).to_be_visible()


def test_paused_sales_keep_the_choice_that_was_made(shop: Shop, browser: Browser) -> None:
    event = shop.put_on_sale("pausing")
    with guest(browser) as context:
        page = context.new_page()
        page.goto(event)
        page.locator("select").first.select_option("2")
        shop.put("pausing", "paused")
        page.locator("#choose .pay-bar button").click()
        expect(page.get_by_role("alert")).to_contain_text("Nothing was bought")
        shop.put("pausing", "on_sale")
        choose(page, event)
        expect_title(page, "Almost yours")
