"""The wallet's page as a ticket's holder uses it."""

import io
from dataclasses import dataclass

import zxingcpp
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from credential.codes import Answer, CompactCode, FullCode, decode_code
from credential.digits import from_digits
from credential.results import Malformed
from tests.pages.phones import Watched, await_on
from tests.pages.wallet_world import WalletWorld


@dataclass
class WalletPage:
    page: Page
    site: str
    world: WalletWorld
    watched: Watched

    @classmethod
    def visit(cls, context: BrowserContext, site: str, world: WalletWorld, language: str = "en") -> "WalletPage":
        """Opens the page; the world answers for the server."""
        world.serve(context)
        page = context.new_page()
        watched = Watched(page)
        page.goto(f"{site}/wallet/{language}")
        return cls(page, site, world, watched)

    def await_states(self, state: str, count: int) -> "WalletPage":
        """So many tickets are "shown", "getting_ready", "elsewhere", "lost", "withdrawn" or "past"."""
        expect(self.page.locator(f".ticket[data-state={state}]")).to_have_count(count)
        return self

    def show(self, at: int = 0) -> "WalletPage":
        """Open a ticket's code."""
        self.page.locator(".ticket[data-state=shown] button").nth(at).click()
        expect(self.page.locator(".code-picture")).to_be_visible()
        return self

    @property
    def code(self) -> FullCode | CompactCode | Answer:
        """What a decoder reads from a picture of the screen."""
        return read_code(code_shot(self.page))

    def await_kind(self, kind: str) -> None:
        expect(self.page.locator(f".code-space[data-kind={kind}]")).to_be_visible()


def code_shot(page: Page) -> bytes:
    """A picture of the screen with one code that a decoder reads; taken again where the screen was just being drawn."""
    shots: list[bytes] = []

    def is_read() -> bool:
        shots.append(page.screenshot())
        return len(_codes(shots[-1])) == 1

    await_on(page, is_read, "a code that can be read")
    return shots[-1]


def read_digits(png: bytes) -> str:
    """The one code in a picture."""
    (code,) = _codes(png)
    return code


def read_code(png: bytes) -> FullCode | CompactCode | Answer:
    payload = from_digits(read_digits(png))
    assert not isinstance(payload, Malformed)
    code = decode_code(payload)
    assert not isinstance(code, Malformed)
    return code


def _codes(png: bytes) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(Image.open(io.BytesIO(png)))]
