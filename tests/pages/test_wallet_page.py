"""The wallet's page: tickets that need no network, keys that nobody can read, and words for what goes wrong."""

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from credential.body import Body
from credential.codes import Answer, CompactCode, FullCode
from credential.ids import token_id
from credential.signing import public_key_of
from tests.pages.conftest import Phone
from tests.pages.gate_page import small_phone, under_plain_http
from tests.pages.gate_world import ISSUER, TAG
from tests.pages.phones import await_on
from tests.pages.wallet_page import WalletPage
from tests.pages.wallet_world import Sold, WalletWorld, other_device

READ_KEY = """async () => {
  const opening = indexedDB.open("truestub-wallet");
  const db = await new Promise((done) => { opening.onsuccess = () => done(opening.result); });
  const asked = db.transaction("keys").objectStore("keys").getAll();
  const keys = await new Promise((done) => { asked.onsuccess = () => done(asked.result); });
  const tries = keys.flatMap(({ privateKey }) => ["pkcs8", "jwk", "raw"].map((form) =>
    crypto.subtle.exportKey(form, privateKey).then(() => "read", (error) => error.name)));
  return [keys.length, ...(await Promise.all(tries))];
}"""
FORGET_KEYS = """async () => {
  const opening = indexedDB.open("truestub-wallet");
  const db = await new Promise((done) => { opening.onsuccess = () => done(opening.result); });
  const gone = db.transaction("keys", "readwrite").objectStore("keys").clear();
  await new Promise((done) => { gone.onsuccess = done; });
  db.close();
}"""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with small_phone(browser) as context:
        yield context


@pytest.fixture
def orders() -> WalletWorld:
    return WalletWorld()


@pytest.fixture
def wallet(context: BrowserContext, site: str, orders: WalletWorld) -> WalletPage:
    """With three tickets that are ready."""
    return WalletPage.visit(context, site, orders).await_states("shown", 3)


def test_compact_and_full_code_are_read_from_the_screen_and_verify(wallet: WalletPage) -> None:
    before = time.time()
    wallet.show()
    code = wallet.code
    assert isinstance(code, CompactCode)
    holder = bytes.fromhex(wallet.world.tickets[0].device_key)
    assert code.is_signed_by_holder(TAG, holder)
    assert before - 1 <= code.timestamp <= time.time()
    wallet.page.get_by_role("button", name="Show full code").click()
    wallet.await_kind("full")
    full = wallet.code
    assert isinstance(full, FullCode)
    assert full.credential.is_signed_by(public_key_of(ISSUER))
    assert full.is_signed_by_holder()
    assert not wallet.watched.complaints


def test_code_is_new_every_ten_seconds(wallet: WalletPage) -> None:
    moment = int(time.time()) // 10 * 10
    wallet.page.clock.set_fixed_time(moment)
    wallet.show()
    drawn = wallet.page.locator(".code-picture path").last
    picture = drawn.get_attribute("d") or ""
    assert wallet.code.timestamp == moment
    wallet.page.clock.set_fixed_time(moment + 10)
    expect(drawn).not_to_have_attribute("d", picture)
    assert wallet.code.timestamp == moment + 10


def test_group_shows_ticket_after_ticket_without_handing_the_phone_back(wallet: WalletPage) -> None:
    wallet.show()
    shown = []
    for _ticket in range(3):
        code = wallet.code
        assert isinstance(code, CompactCode)
        shown.append(code.token_id)
        ticket = wallet.page.locator(".code-space").get_attribute("data-ticket")
        wallet.page.get_by_role("button", name="Next ticket").click()
        expect(wallet.page.locator(".code-space")).not_to_have_attribute("data-ticket", ticket or "")
    assert shown == [token_id(4, index) for index in range(3)]


def test_answer_to_a_gates_nine_digits(wallet: WalletPage) -> None:
    wallet.show()
    wallet.page.get_by_role("button", name="Gate asks for digits").click()
    wallet.page.locator("#digits").fill("12345678")
    wallet.page.get_by_role("button", name="Show the answer").click()
    expect(wallet.page.locator("#digits-problem")).to_contain_text("all nine digits")
    wallet.page.locator("#digits").fill("042 000 123")
    wallet.page.get_by_role("button", name="Show the answer").click()
    wallet.await_kind("answer")
    code = wallet.code
    assert isinstance(code, Answer)
    assert (code.gate_number, code.challenge) == (42, 123)
    assert code.is_signed_by_holder()


def test_flight_mode_works_after_a_restart(a_phone: Phone, site: str, orders: WalletWorld) -> None:
    context = a_phone()
    wallet = WalletPage.visit(context, site, orders).await_states("shown", 3)
    wallet.page.wait_for_function("() => navigator.serviceWorker.ready.then(() => true)")
    context.close()

    orders.alive = False
    context = a_phone()
    context.set_offline(True)
    wallet = WalletPage.visit(context, site, orders).await_states("shown", 3).show()
    assert isinstance(wallet.code, CompactCode)


def test_device_keys_cannot_be_read_by_scripts(wallet: WalletPage) -> None:
    count, *attempts = wallet.page.evaluate(READ_KEY)
    assert count == 3
    assert set(attempts) == {"InvalidAccessError"}


def test_secrets_stay_out_of_addresses_and_visible_storage(wallet: WalletPage) -> None:
    stored = wallet.page.evaluate("() => JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert wallet.world.secret not in stored
    assert not [address for address in wallet.world.addresses if wallet.world.secret in address]


# Binding through trouble.


def test_lost_answer_to_a_binding_is_asked_for_again_with_the_same_key(
    context: BrowserContext, site: str, orders: WalletWorld
) -> None:
    orders.tickets = orders.tickets[:1]
    orders.lose_answers = 1
    wallet = WalletPage.visit(context, site, orders)
    wallet.await_states("shown", 1)
    assert [one["number"] for one in orders.bindings] == [1, 1]
    assert len({one["device_key"] for one in orders.bindings}) == 1
    assert orders.tickets[0].binding_number == 1


def test_ticket_being_made_ready_becomes_ready_by_itself(
    context: BrowserContext, site: str, orders: WalletWorld
) -> None:
    orders.tickets = [Sold(str(uuid4()), None)]
    wallet = WalletPage.visit(context, site, orders).await_states("getting_ready", 1)
    orders.tickets[0].token = token_id(9, 0)
    wallet.await_states("shown", 1)


def test_ticket_on_another_phone_moves_here_only_if_its_holder_says_so(
    context: BrowserContext, site: str, orders: WalletWorld
) -> None:
    orders.tickets = orders.tickets[:1]
    orders.tickets[0].binding_number = 4
    orders.tickets[0].device_key = public_key_of(other_device()).hex()
    wallet = WalletPage.visit(context, site, orders).await_states("elsewhere", 1)
    assert orders.bindings == []
    expect(wallet.page.locator(".ticket-why")).to_contain_text("the old code then stops working")
    wallet.page.get_by_role("button", name="Move to this phone").click()
    wallet.await_states("shown", 1)
    assert [one["number"] for one in orders.bindings] == [5]


def test_lost_key_is_replaced_by_a_new_binding_number(wallet: WalletPage) -> None:
    wallet.page.evaluate(FORGET_KEYS)
    wallet.page.reload()
    wallet.await_states("lost", 3)
    expect(wallet.page.locator(".ticket-why").first).to_contain_text("lost the key")
    wallet.page.get_by_role("button", name="Make a new code here").first.click()
    wallet.await_states("shown", 1)
    assert wallet.world.tickets[0].binding_number == 2
    wallet.show()
    assert wallet.code.serial == 2 if isinstance(wallet.code, CompactCode) else False


def test_cleared_browser_gets_its_tickets_back_from_the_receipt(browser: Browser, site: str) -> None:
    orders = WalletWorld(handed=False)
    with small_phone(browser) as context:
        wallet = WalletPage.visit(context, site, orders)
        expect(wallet.page.locator(".empty")).to_be_visible()
        wallet.page.get_by_text("Bring an order here").click()
        for text, words in (
            ("hello", "Copy the whole line"),
            (orders.receipt("https://elsewhere.example"), "another server"),
        ):
            wallet.page.locator("#receipt").fill(text)
            wallet.page.get_by_role("button", name="Add the order").click()
            expect(wallet.page.locator("#receipt-problem")).to_contain_text(words)
        wallet.page.locator("#receipt").fill(orders.receipt(site))
        wallet.page.get_by_role("button", name="Add the order").click()
        wallet.await_states("shown", 3)


def test_a_postponed_events_tickets_are_renewed_with_the_key_they_have(wallet: WalletPage) -> None:
    key = wallet.world.tickets[0].device_key
    wallet.world.moved = 30 * 24 * 3600
    wallet.page.reload()
    wallet.await_states("shown", 3)
    deadline = time.monotonic() + 10
    while [one.serial for one in wallet.world.tickets] != [2, 2, 2]:
        assert time.monotonic() < deadline, "not asked for"
        wallet.page.wait_for_timeout(50)
    assert (wallet.world.tickets[0].device_key, wallet.world.tickets[0].binding_number) == (key, 1)
    seen: list[Body] = []

    def is_kept() -> bool:
        """The page may have been left before it had written down what it was answered: then it asks again."""
        wallet.page.reload()
        wallet.await_states("shown", 3)
        wallet.show()
        wallet.page.get_by_role("button", name="Show full code").click()
        wallet.await_kind("full")
        full = wallet.code
        assert isinstance(full, FullCode)
        seen.append(full.credential.body)
        return seen[-1].serial == 2

    await_on(wallet.page, is_kept, "the new credential on the screen")
    assert seen[-1].not_before > time.time() + 29 * 24 * 3600
    assert [one.serial for one in wallet.world.tickets] == [2, 2, 2], "asked again, given the same"


def test_refunded_ticket_shows_no_code(wallet: WalletPage) -> None:
    wallet.world.tickets[1].state = "refunded"
    wallet.page.reload()
    wallet.await_states("withdrawn", 1).await_states("shown", 2)


def test_minting_that_waits_is_said_with_the_tickets_and_above_the_page(
    context: BrowserContext, site: str, orders: WalletWorld
) -> None:
    orders.notice, orders.waits = "Their entry on the chain waits.", "Minting waits."
    wallet = WalletPage.visit(context, site, orders).await_states("shown", 3)
    expect(wallet.page.locator(".event-notice")).to_have_text("Their entry on the chain waits.")
    expect(wallet.page.locator("#wallet-banner")).to_contain_text("Minting waits.")
    orders.notice = None
    orders.alive = True
    wallet.page.reload()
    expect(wallet.page.locator(".event-notice")).to_have_count(0)


def test_two_tabs_bind_each_ticket_once(context: BrowserContext, site: str, orders: WalletWorld) -> None:
    first = WalletPage.visit(context, site, orders)
    second = WalletPage.visit(context, site, orders)
    for tab in (first, second):
        tab.await_states("shown", 3)
    assert {one.binding_number for one in orders.tickets} == {1}
    second.page.reload()
    second.await_states("shown", 3)


# What a browser can refuse.


def test_plain_http_makes_no_key_says_so_and_keeps_the_ticket(
    context: BrowserContext, site: str, orders: WalletWorld
) -> None:
    wallet = WalletPage.visit(context, under_plain_http(context, site), orders)
    expect(wallet.page.locator(".notice")).to_contain_text("Open it by https; your tickets are waiting")
    wallet.await_states("getting_ready", 3)
    assert orders.bindings == []


def test_browser_that_stores_nothing_says_what_to_do(context: BrowserContext, site: str, orders: WalletWorld) -> None:
    context.add_init_script("IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError') }")
    wallet = WalletPage.visit(context, site, orders)
    expect(wallet.page.locator(".notice")).to_contain_text("Leave private mode")


def test_memory_cleared_under_the_page_leads_back_to_the_order(context: BrowserContext, wallet: WalletPage) -> None:
    session = context.new_cdp_session(wallet.page)
    session.send("Storage.clearDataForOrigin", {"origin": wallet.site, "storageTypes": "indexeddb"})
    expect(wallet.page.locator(".notice")).to_contain_text("open your order again")


def test_browser_without_device_keys_says_so_and_keeps_the_ticket(
    context: BrowserContext, site: str, orders: WalletWorld
) -> None:
    context.add_init_script(
        "crypto.subtle.generateKey = () => Promise.reject(new DOMException('no', 'NotSupportedError'))"
    )
    wallet = WalletPage.visit(context, site, orders).await_states("getting_ready", 3)
    expect(wallet.page.locator(".notice")).to_contain_text("too old")
    assert orders.bindings == []


@pytest.mark.parametrize(("seconds", "word"), [(-3600, "behind"), (3600, "ahead")])
def test_phone_clock_wrong_by_an_hour_is_said(
    context: BrowserContext, site: str, orders: WalletWorld, seconds: int, word: str
) -> None:
    context.clock.set_system_time(orders.now + seconds)
    wallet = WalletPage.visit(context, site, orders)
    expect(wallet.page.locator(".notice")).to_contain_text(word)
    wallet.await_states("shown", 3)


def test_dead_server_is_said_and_tickets_work(wallet: WalletPage) -> None:
    wallet.world.alive = False
    wallet.page.reload()
    expect(wallet.page.locator(".notice")).to_contain_text("can't be reached")
    wallet.await_states("shown", 3).show()
    assert isinstance(wallet.code, CompactCode)
