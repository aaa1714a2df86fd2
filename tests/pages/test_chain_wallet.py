"""Paying from the wallet in the browser: an injected EIP-1193 provider that talks to a real node."""

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any

import orjson
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from sqlalchemy import select
from werkzeug.serving import make_server

from backend.app import create_app
from backend.chain.batcher import close_batches
from backend.credentials.keystore import KeyStore
from backend.credentials.signer import Signer
from backend.db.tables.chain import Token
from backend.db.tables.orders import Order, Ticket
from backend.sales.payments import reconcile
from tests.backend.credentials.serving import serving
from tests.pages.phones import Watched
from tests.pages.shop_page import choose, expect_title, guest, order_of, see_here
from tests.support.chain_node import CHAIN_ID
from tests.support.chain_shop import PAYER, PRICE, WEI_PER_CENT, Till, open_chain_shop

REFUSED, STRANGE = 4001, 4902  # EIP-1193, EIP-3085
PROVIDER = """window.ethereum = { request: async (asked) => {
  const answer = await window.askedOfWallet(asked);
  if (answer.error) throw Object.assign(new Error("wallet"), { code: answer.error });
  return answer.result;
} };"""


@dataclass
class Wallet:
    """What a browser's wallet does, with a development key that the node holds. `answers`: the owner's, by method."""

    till: Till
    network: int = 1
    answers: dict[str, list[int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: list[dict[str, str]] = field(default_factory=list)

    def put_into(self, context: BrowserContext) -> None:
        context.expose_function("askedOfWallet", self.answer)
        context.add_init_script(PROVIDER)

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        method, params = asked["method"], asked.get("params", [])
        self.asked.append(method)
        if self.answers.get(method):
            return {"error": self.answers[method].pop(0)}
        match method:
            case "eth_requestAccounts":
                return {"result": [PAYER]}
            case "eth_chainId":
                return {"result": hex(self.network)}
            case "wallet_switchEthereumChain":
                self.network = int(params[0]["chainId"], 16)
                return {"result": None}
            case "eth_sendTransaction":
                assert int(params[0]["chainId"], 16) == self.network
                params = [{**params[0], "gas": hex(500_000)}]  # with an estimate, the node would refuse what reverts
                self.sent.append(params[0])
        return {"result": self.till.node.call(method, *params)}


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Till]:
    folder = tmp_path_factory.mktemp("chain-wallet")
    with (
        pytest.MonkeyPatch.context() as patched,
        open_chain_shop(folder, f"sqlite:///{folder}/truestub.sqlite") as opened,
    ):
        patched.setattr(reconcile, "ASK_AFTER_SECONDS", 0)
        yield opened


@pytest.fixture(scope="module")
def url(till: Till) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app(till.services), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}/events/gig"
    server.shutdown()
    thread.join()


def test_the_browsers_wallet_pays_once_on_the_right_network_and_is_offered_only_where_there_is_one(
    till: Till, url: str, browser: Browser
) -> None:
    with guest(browser) as without:
        page = without.new_page()
        choose(page, url, 1)
        page.get_by_role("button", name="Pay from a chain wallet").click()
        expect_title(page, "Pay from your chain wallet")
        expect(page.locator(".hold .clock")).to_be_visible()  # the scripts have run
        expect(page.locator("#browser-wallet")).to_be_hidden()
        expect(page.get_by_role("link", name="Open in my wallet")).to_be_visible()
    wallet = Wallet(till)
    wallet.answers = {"wallet_switchEthereumChain": [STRANGE], "eth_sendTransaction": [REFUSED]}
    with guest(browser) as context:
        wallet.put_into(context)
        page = context.new_page()
        watched = Watched(page)
        choose(page, url, 1)
        page.get_by_role("button", name="Pay from a chain wallet").click()
        button, told = (
            page.get_by_role("button", name="Pay with this browser's wallet"),
            page.locator("#browser-wallet p"),
        )
        see_here(page, "shop-chain-wallet")
        button.click()
        expect(told).to_contain_text(f"does not know network {CHAIN_ID}")
        button.click()
        expect(told).to_contain_text("Nothing was sent")
        assert wallet.sent == []
        button.dblclick()
        expect(told).to_contain_text("goes on by itself")
        page.reload()
        expect(button).to_be_disabled()
        (sent,) = wallet.sent
        assert int(sent["value"], 16) == PRICE * WEI_PER_CENT
        till.turn(1)
        expect_title(page, "Your payment is on the chain")
        till.until(lambda: paid(till, page), "the ticket")
        page.reload()
        expect_title(page, "Paid. Your ticket is being made")
        assert watched.complaints == []
        till.money_adds_up()


def test_a_guest_takes_a_ticket_into_a_wallet_of_their_own_by_its_address(
    till: Till, url: str, browser: Browser
) -> None:
    settings, engine = till.services.settings, till.services.engine
    signer = serving(Signer(engine, KeyStore(settings.keys_dir), time.time), settings.signer_socket)
    with guest(browser) as context, signer:
        wallet = Wallet(till, network=CHAIN_ID)
        wallet.put_into(context)
        page = context.new_page()
        watched = Watched(page)
        choose(page, url, 2)
        order = page.url
        page.get_by_role("button", name="Pay from a chain wallet").click()
        page.get_by_role("button", name="Pay with this browser's wallet").click()
        expect(page.locator("#browser-wallet p")).to_contain_text("goes on by itself")
        till.until(lambda: paid(till, page), "the tickets")
        close_batches(engine, 0)
        till.until(lambda: len(owners(till, page)) == 2, "their tokens")
        page.goto(order)
        page.get_by_role("link", name="Give a ticket to a wallet").click()
        see_here(page, "shop-give")
        page.get_by_label("Floor").first.check()
        page.get_by_label("Address of the wallet").fill(PAYER[:-1])
        page.get_by_role("button", name="Give the ticket away").click()
        expect(page.get_by_text("This is no address, or it was copied wrongly")).to_be_visible()
        expect(page.get_by_label("Floor").first).to_be_checked()
        page.get_by_label("Address of the wallet").fill(PAYER)
        page.get_by_role("button", name="Give the ticket away").evaluate(
            """button => Promise.all([1, 2].map(() =>
                 fetch(button.form.action, { method: "POST", body: new FormData(button.form) })))"""  # clicked twice
        )
        page.goto(order)
        expect(page.get_by_text("Given away", exact=True)).to_have_count(1)
        till.until(lambda: bytes.fromhex(PAYER[2:]) in owners(till, page), "the move")
        page.get_by_role("link", name="Give a ticket to a wallet").click()
        expect(page.get_by_text("Which ticket?")).to_have_count(0)  # one is left
        assert watched.complaints == []


@pytest.mark.deep
def test_a_token_is_allowed_before_it_pays_and_what_the_chain_refused_may_be_tried_again(
    till: Till, url: str, browser: Browser
) -> None:
    wallet = Wallet(till, network=CHAIN_ID)
    allow = orjson.dumps({"to": PAYER, "data": "0x"}).decode()

    def with_token_and_bad_data(route: Route) -> None:
        page = route.fetch()
        told = re.sub(r"(&#34;data&#34;:\s*&#34;)0x\w+", r"\g<1>0xdeadbeef", page.text())
        told = re.sub(r"(&#34;approve&#34;:\s*)null", rf"\g<1>{escape(allow)}", told)
        route.fulfill(response=page, body=told)

    with guest(browser) as context:
        wallet.put_into(context)
        page = context.new_page()
        choose(page, url, 1)
        order = page.url
        context.route(
            f"{order}/*", lambda route: route.abort() if "pay" not in route.request.url else route.continue_()
        )
        page.get_by_role("button", name="Pay from a chain wallet").click()
        expect_title(page, "Pay from your chain wallet")
        context.route(order, with_token_and_bad_data)
        page.reload()
        button = page.get_by_role("button", name="Pay with this browser's wallet")
        button.click()
        expect(page.locator("#browser-wallet p")).to_contain_text("The chain refused the transaction")
        assert [one["to"] for one in wallet.sent[:1]] == [PAYER]
        assert wallet.asked.index("eth_getTransactionReceipt") < wallet.asked.index("eth_sendTransaction", 3)
        context.unroute_all()
        page.reload()
        button.click()
        expect(page.locator("#browser-wallet p")).to_contain_text("goes on by itself")
        till.until(lambda: paid(till, page), "the ticket")
        assert len(wallet.sent) == 3
        till.money_adds_up()


def owners(till: Till, page: Page) -> list[bytes]:
    """Of the tokens of the page's order, as the chain says."""
    mine = (Token.event_id == Ticket.event_id) & (Token.token_id == Ticket.token_id)
    with till.services.engine.connect() as connection:
        found = select(Token.owner).join(Ticket, mine).where(Ticket.order_id == order_of(page))
        return list(connection.scalars(found))


def paid(till: Till, page: Page) -> bool:
    with till.services.engine.connect() as connection:
        return connection.scalar(select(Order.state).where(Order.id == order_of(page))) == "paid"
