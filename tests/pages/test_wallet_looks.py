"""Every page of the wallet in both languages, light and dark: kept as pictures, judged by axe."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from credential.ids import token_id
from credential.signing import public_key_of
from tests.pages.gate_page import small_phone
from tests.pages.looks import look
from tests.pages.wallet_page import WalletPage
from tests.pages.wallet_world import Sold, WalletWorld, other_device


@pytest.fixture(params=("en", "zh"))
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with small_phone(browser) as context:
        yield context


def test_codes(context: BrowserContext, site: str, language: str) -> None:
    wallet = WalletPage.visit(context, site, WalletWorld(), language).await_states("shown", 3)
    look(wallet.page, "wallet-tickets", language)
    wallet.show()
    look(wallet.page, "wallet-code-compact", language)
    full, digits = wallet.page.locator(".code-buttons button").all()
    full.click()
    wallet.await_kind("full")
    look(wallet.page, "wallet-code-full", language)
    digits.click()
    look(wallet.page, "wallet-digits", language)
    wallet.page.locator("#digits").fill("001002003")
    wallet.page.locator("dialog button[type=submit]").click()
    wallet.await_kind("answer")
    look(wallet.page, "wallet-answer", language)
    assert not wallet.watched.complaints


def test_tickets_in_every_state(context: BrowserContext, site: str, language: str) -> None:
    waits = {
        "en": "Your tickets are valid and will let you in. Their entry on the chain waits.",
        "zh": "您的门票有效。它们在链上的登记正在等待。",
    }[language]
    orders = WalletWorld(
        waits=waits,
        notice=waits,
        tickets=[
            Sold(str(uuid4()), token_id(4, 0), seat="B-12"),
            Sold(str(uuid4()), token_id(4, 1), binding_number=1, device_key=public_key_of(other_device()).hex()),
            Sold(str(uuid4()), None),
            Sold(str(uuid4()), token_id(4, 3), state="refunded"),
        ],
    )
    wallet = WalletPage.visit(context, site, orders, language)
    for state in ("shown", "elsewhere", "getting_ready", "withdrawn"):
        wallet.await_states(state, 1)
    look(wallet.page, "wallet-states", language)


def test_empty(context: BrowserContext, site: str, language: str) -> None:
    wallet = WalletPage.visit(context, site, WalletWorld(handed=False), language)
    expect(wallet.page.locator(".empty")).to_be_visible()
    wallet.page.locator("#wallet-foot summary").click()
    look(wallet.page, "wallet-empty", language)


def test_server_dead(context: BrowserContext, site: str, language: str) -> None:
    wallet = WalletPage.visit(context, site, WalletWorld(), language).await_states("shown", 3)
    wallet.world.alive = False
    wallet.page.reload()
    expect(wallet.page.locator(".notice")).to_be_visible()
    look(wallet.page, "wallet-server-dead", language)
