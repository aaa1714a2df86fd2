"""The order's page on a whole platform with a chain node that comes late: it says what waits, and goes on by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Response, expect

from tests.pages.shop_page import choose, guest, pay
from tests.support.installation import Installation, wait_until

EXAMPLE = Path("examples/concert.toml")
MINTED_MS = 240_000  # jobs that failed while there was no node are put off for a while


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Installation]:
    """All but the node."""
    made = Installation(tmp_path)
    try:
        made.run("init")
        made.start("signer", "signer", "run")
        wait_until((tmp_path / "platform" / "signer.sock").exists, "the signer")
        made.run("event", "create", str(EXAMPLE.resolve()))
        made.start("web")
        made.start("work")
        wait_until(made.web_answers, "the web server")
        yield made
    finally:
        made.close()


def test_order_page_says_that_minting_waits_and_is_told_when_the_ticket_is_minted(
    platform: Installation, browser: Browser
) -> None:
    streams: list[str] = []

    def note(answer: Response) -> None:
        if answer.url.endswith("/stream"):
            streams.append(answer.headers.get("content-type", ""))

    with guest(browser) as context:
        page = context.new_page()
        page.on("response", note)
        choose(page, f"{platform.url}/events/summer-night", 1)
        pay(page)
        expect(page.get_by_text("Your tickets are valid and will let you in")).to_be_visible()
        expect(page.locator("#to-wallet")).to_be_visible()
        page.evaluate("() => { window.neverLoadedAgain = true }")
        platform.start("node", "node", "start", "--port", str(platform.node_port))
        expect(page.locator(".steps > .done")).to_have_count(3, timeout=MINTED_MS)
        expect(page.get_by_text("Anybody can check that it is genuine")).to_be_visible()
        assert page.evaluate("window.neverLoadedAgain")
        assert any(kind.startswith("text/event-stream") for kind in streams)
