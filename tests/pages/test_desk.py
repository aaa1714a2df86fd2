"""The organiser at a phone: creates an event, sells, refunds, cancels. Real servers, a real second factor."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import insert, select

from backend.db.clock import now_ms
from backend.db.tables.credentials import GateRecord
from backend.db.tables.events import Event
from backend.sales.calling_off import give_back_cancelled
from tests.pages.desk_page import PASSWORD, House, create_event, open_house, see, sign_in, visitor
from tests.pages.looks import violations
from tests.pages.phones import Watched

MAIL = "buyer@planted.example"
PICTURE = "canvas => canvas.toDataURL()"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("desk"), "anna", "bela") as opened:
        yield opened


def buy(browser: Browser, house: House, slug: str) -> None:
    """A guest buys two, and leaves an address."""
    with visitor(browser) as context:
        page = context.new_page()
        page.goto(f"{house.url}/events/{slug}")
        page.locator("select").first.select_option("2")
        page.locator("#choose .pay-bar button").click()
        page.wait_for_url("**/orders/*")
        page.get_by_text("Leave a mail address").click()
        page.locator("#mail").fill(MAIL)
        page.locator("#name").fill("Wen Li")
        see(page, "shop-leave-an-address")
        page.locator("form[action$='/pay'] button").click()
        expect(page.locator("h1")).to_have_text("Paid. Your tickets are being made")


def let_one_in(house: House) -> None:
    """A gate's record of an admission, as it is collected."""
    with house.engine.begin() as connection:
        event = connection.scalar(select(Event.id).where(Event.slug == "river-night"))
        now = now_ms(connection)
        record = {"log_id": b"1" * 16, "number": 0, "gate_number": 1, "admits": True, "at_s": now // 1000}
        about = {"event_id": event, "token_id": 65_536, "payload": b"", "received_ms": now}
        connection.execute(insert(GateRecord).values(record | about))


def test_an_organiser_creates_an_event_sells_refunds_and_cancels(house: House, browser: Browser) -> None:
    with visitor(browser) as context:
        page = context.new_page()
        watched = Watched(page)
        page.goto(f"{house.url}/desk")
        see(page, "sign-in")
        sign_in(page, house)
        create_event(page, "river-night")
        see(page, "new-event")
        page.get_by_role("button", name="Put it on sale").click()
        page.wait_for_url("**/desk/events/river-night")
        expect(page.get_by_text("On sale", exact=True)).to_be_visible()
        buy(browser, house, "river-night")

        # three taps for cash
        page.get_by_role("button", name="Sell for cash").click()
        see(page, "sell")
        page.get_by_role("button", name="2 \u00d7 Balcony").click()
        expect(page.locator("h1")).to_have_text("Take €144.00")
        see(page, "cash")
        page.get_by_role("button", name="Cash taken").click()
        expect(page.locator("h1")).to_have_text("Let the buyer scan this")
        see(page, "receipt")
        page.get_by_text("Without a camera").click()
        receipt = page.locator("#receipt").input_value()
        with visitor(browser) as phone:
            scanned = phone.new_page()
            scanned.goto(f"{house.url}/orders#{receipt}")
            expect(scanned.locator("#receipt")).to_have_value(receipt)
            assert "#" not in scanned.url
            scanned.get_by_role("button", name="Open the order").click()
            expect(scanned.locator("h1")).to_have_text("Paid. Your tickets are being made")

        # the guest asks for one ticket's money
        page.goto(f"{house.url}/desk/orders")
        page.locator("#wanted").fill(MAIL)
        page.get_by_role("button", name="Find").click()
        page.wait_for_url("**/desk/orders/*")
        order = page.url
        assert "planted" not in order
        expect(page.get_by_text("Wen Li")).to_be_visible()
        see(page, "order")
        page.locator("[name=ticket]").first.uncheck()
        page.get_by_role("button", name="Give the money back").click()
        expect(page.get_by_text("the buyer asked").first).to_be_visible()
        expect(page.get_by_text("Refunded", exact=True)).to_have_count(1)

        # what the numbers say
        page.goto(f"{house.url}/desk/events/river-night/figures")
        expect(page.locator(".chart canvas").first).to_be_visible()
        expect(page.locator(".figures dd").first).to_have_text("3")
        page.get_by_text("As a table").first.click()
        see(page, "figures")
        page.goto(f"{house.url}/desk/events/river-night/attendees")
        see(page, "attendees")
        with page.expect_download() as downloading:
            page.get_by_role("button", name="Download as CSV").click()
        text = downloading.value.path().read_text(encoding="utf-8-sig")
        assert text.count("\n") == 5
        assert "Wen Li" in text

        # sold and let in while somebody looks
        page.goto(f"{house.url}/desk/events/river-night/figures")
        before = page.locator(".chart canvas").first.evaluate(PICTURE)
        buy(browser, house, "river-night")
        let_one_in(house)
        expect(page.locator(".figures dd").first).to_have_text("5")
        expect(page.locator(".chart canvas")).to_have_count(2)  # of sales and of entry
        assert page.locator(".chart canvas").first.evaluate(PICTURE) != before

        # the other pages, and all of them in Chinese
        event = "events/river-night"
        others = {"events": "", "orders": "orders", "refunds": "refunds"}
        others |= {name: f"{event}/{name}" for name in ("edit", "codes", "postpone")}
        for name, path in others.items():
            page.goto(f"{house.url}/desk/{path}")
            see(page, name)
        context.add_cookies([{"name": "language", "value": "zh", "url": house.url}])
        for path in (
            *others.values(),
            "new",
            event,
            f"{event}/sell",
            f"{event}/figures",
            f"{event}/attendees",
            "audit",
        ):
            page.goto(f"{house.url}/desk/{path}")
            assert (page.locator("html").get_attribute("lang") or "").startswith("zh"), path
            assert not violations(page), path
        context.clear_cookies(name="language")

        # the end of it
        page.goto(f"{house.url}/desk/events/river-night")
        see(page, "event")
        page.get_by_text("Cancel the event").click()
        see(page, "cancel")
        page.locator("#slug").fill("river-night")
        page.get_by_role("button", name="Cancel the event for everybody").click()
        expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()
        assert give_back_cancelled(house.engine) == 3  # what the worker does
        page.goto(order)
        expect(page.get_by_text("Refunded", exact=True).first).to_be_visible()
        page.goto(f"{house.url}/desk/audit")
        expect(page.get_by_text("cancelled an event")).to_be_visible()
        see(page, "audit")
        page.goto(f"{house.url}/desk/people")
        see(page, "people")
        assert watched.complaints == []


def test_a_passkey_is_made_and_signs_in_without_password(house: House, browser: Browser) -> None:
    with visitor(browser) as context:
        page = context.new_page()
        watched = Watched(page)
        device = context.new_cdp_session(page)
        device.send("WebAuthn.enable")
        having = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        options = {**having, "isUserVerified": True, "automaticPresenceSimulation": True}
        added = device.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        sign_in(page, house, "bela")
        page.goto(f"{house.url}/desk/account")
        page.get_by_text("Add a passkey").click()
        page.locator("#password").fill(PASSWORD)
        page.locator("#passkey_code").fill(house.code("bela"))
        page.get_by_role("button", name="Go on").click()
        page.locator("#label").fill("Bela's phone")
        see(page, "new-passkey")
        page.get_by_role("button", name="Make the passkey").click()
        page.wait_for_url(f"{house.url}/desk/account")
        expect(page.get_by_role("heading", name="Bela's phone")).to_be_visible()
        see(page, "account")
        page.get_by_role("button", name="Sign out").click()

        expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_visible()
        see(page, "sign-in-passkey")
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(f"{house.url}/desk")

        page.goto(f"{house.url}/desk/account")
        page.get_by_role("button", name="Remove Bela's phone").click()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_text("This passkey was not taken")).to_be_visible()
        device.send("WebAuthn.removeVirtualAuthenticator", added)
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.locator("#name").fill("bela")  # the other way in stays open while the browser looks for a device
        assert all("401" in one for one in watched.complaints), watched.complaints


def test_the_desk_works_without_javascript_and_in_chinese(house: House, browser: Browser) -> None:
    with visitor(browser, "zh-CN", scripts=False) as context:
        page = context.new_page()
        sign_in(page, house)
        create_event(page, "no-scripts")
        page.locator("[id=class-1-price]").fill("free")
        page.get_by_role("button", name="开始销售").click()
        expect(page.locator("[id=class-1-price]")).to_have_attribute("aria-invalid", "true")
        page.locator("[id=class-1-price]").fill("12")
        page.get_by_role("button", name="开始销售").click()
        page.get_by_role("button", name="现金售票").click()
        page.get_by_role("button", name="1 \u00d7 Standing").click()
        page.get_by_role("button", name="已收现金").click()
        expect(page.locator("h1")).to_have_text("请买家扫描")
        page.goto(f"{house.url}/desk/events/no-scripts/figures")
        expect(page.locator(".figures dd").first).to_have_text("1")
        page.locator("header nav a").last.click()
        expect(page.locator("html")).to_have_attribute("lang", "en")
