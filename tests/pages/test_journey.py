"""The main job in a browser, on a whole platform of real processes: from the purchase to the gate, all without a net.

Two phones, each with a profile that outlives it; the wallet's screen is what the gate's camera sees.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from credential.codes import FullCode
from credential.digits import from_digits
from tests.backend.web.test_privacy import spellings
from tests.pages.camera import code_picture, film, from_screenshot
from tests.pages.conftest import Phone
from tests.pages.gate_page import await_verdict, record_verdicts, shown_verdicts
from tests.pages.phones import Watched
from tests.pages.wallet_page import code_shot, read_code, read_digits
from tests.support.installation import Installation, wait_until

EXAMPLE = Path("examples/concert.toml")
SLUG = "summer-night"
TICKETS = 2
MAIL, NAME = "zorblatt@planted.example", "Quillfeather Zorblatt"
SHOWN, AWAY = 3.0, 2.4  # seconds before the camera, and away from it for longer than `OUT_OF_VIEW_MS`; then again


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Installation]:
    """Signer, web and worker with an event whose doors are open. There is no chain node: sales and entry go on."""
    made = Installation(tmp_path, TRUESTUB_NODE_URLS="")
    try:
        made.run("init")
        made.run("keys", "init-root")
        made.start("signer", "signer", "run")
        wait_until((tmp_path / "platform" / "signer.sock").exists, "the signer")
        made.start("web")
        event = tmp_path / EXAMPLE.name
        event.write_text(_with_doors_open(EXAMPLE.read_text()))
        made.run("event", "create", str(event))
        made.run("keys", "publish")
        made.start("work")
        wait_until(made.web_answers, "the web server")
        yield made
    finally:
        made.close()


def test_from_the_shop_to_the_gate_in_flight_mode(platform: Installation, a_phone: Phone, tmp_path: Path) -> None:
    _set_up_the_gate(platform, a_phone)
    _buy_and_put_into_the_wallet(platform, a_phone)

    for name in ("web", "signer", "work"):
        platform.kill(name)
    _find_nobody_in_what_is_left(platform)

    first, second = _show_in_flight_mode(platform, a_phone)
    genuine = from_screenshot(first)
    digits = read_digits(second)
    altered = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    assert isinstance(from_digits(altered), bytes)
    scenes = [(genuine, SHOWN), (None, AWAY), (code_picture(altered), SHOWN), (None, AWAY)]
    code = read_code(first)
    _scan_what_the_camera_sees(platform, a_phone, film(tmp_path / "camera.y4m", scenes), code.timestamp)


def _set_up_the_gate(platform: Installation, a_phone: Phone) -> None:
    code = platform.run("gate", "enrol", SLUG, "North", "--page")
    context = a_phone("gate")
    page = context.new_page()
    page.goto(f"{platform.url}/gate/en")
    page.locator("#setup-code").fill(code)
    page.locator("#gate-stage button[type=submit]").click()
    expect(page.locator("#gate-title")).to_contain_text("Paper Lanterns")
    _await_worker(page)
    context.close()


def _buy_and_put_into_the_wallet(platform: Installation, a_phone: Phone) -> None:
    context = a_phone("wallet", locale="en-GB")
    page = context.new_page()
    page.goto(platform.url)
    page.get_by_role("link", name="Summer Night").first.click()
    page.locator("#quantity-standing").select_option(str(TICKETS))
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_text("Leave a mail address").click()
    page.locator("#mail").fill(MAIL)
    page.locator("#name").fill(NAME)
    page.get_by_role("button", name="Pay €99.00").click()
    page.locator("#to-wallet").click()  # once the tickets are ready
    expect(page.locator(".ticket[data-state=shown]")).to_have_count(TICKETS)
    _await_worker(page)
    context.close()


def _find_nobody_in_what_is_left(platform: Installation) -> None:
    """Neither in the logs of the real processes, nor in any file of the platform's."""
    files = [*platform.folder.glob("*.log"), *(one for one in platform.folder.glob("platform/**/*") if one.is_file())]
    assert {one.name for one in files} >= {"web.log", "signer.log", "work.log", "truestub.sqlite"}
    for file in files:
        data = file.read_bytes()
        found = [word for word in (MAIL, *NAME.split()) for spelt in spellings(word) if spelt in data]
        assert found == [], file


def _show_in_flight_mode(platform: Installation, a_phone: Phone) -> tuple[bytes, bytes]:
    """Pictures of the screen with the full codes of two tickets, after the browser was started anew without a net."""
    context = a_phone("wallet")
    context.set_offline(True)
    page = context.new_page()
    watched = Watched(page)
    page.goto(f"{platform.url}/wallet/en")
    page.locator(".ticket[data-state=shown] button").first.click()
    page.locator(".code-buttons button").first.click()
    pictures = []
    for _ticket in range(2):
        expect(page.locator(".code-space[data-kind=full]")).to_be_visible()
        pictures.append(code_shot(page))
        ticket = page.locator(".code-space").get_attribute("data-ticket")
        page.get_by_role("button", name="Next ticket").click()
        expect(page.locator(".code-space")).not_to_have_attribute("data-ticket", ticket or "")
    assert isinstance(read_code(pictures[0]), FullCode)
    assert not watched.complaints
    context.close()
    return pictures[0], pictures[1]


def _scan_what_the_camera_sees(platform: Installation, a_phone: Phone, camera: Path, shown_at: int) -> None:
    """Admitted; again: already used; ten minutes later: stale; altered: forged. Then the server is back.

    The film is a loop, and the gate's clock stands still between its steps: however seldom a busy machine looks at the
    film, what is shown stays fresh until the test says that ten minutes have passed.
    """
    context = a_phone("gate", camera=camera)
    record_verdicts(context)
    page = context.new_page()
    watched = Watched(page)
    page.goto(f"{platform.url}/gate/en")
    page.clock.set_fixed_time(shown_at + 5)
    page.locator("#gate-stage button.big").click()
    for code in ("admit", "already_used", "forged"):
        await_verdict(page, code)
    page.clock.set_fixed_time(shown_at + 10 * 60)
    await_verdict(page, "stale")
    of_the_ticket = [code for code in shown_verdicts(page) if code != "forged"]
    assert [code for code, _again in groupby(of_the_ticket)] == ["admit", "already_used", "stale"]
    assert of_the_ticket.count("admit") == 1
    expect(page.locator(".status-waiting")).to_have_text("1 unsent")
    platform.start("web")
    wait_until(platform.web_answers, "the web server")
    _sync_now(page)
    expect(page.locator(".status-waiting")).to_have_text("0 unsent")
    assert not watched.complaints


def _sync_now(page: Page) -> None:
    """By the menu, which every scan closes; the film goes on."""
    for _ in range(60):
        try:
            page.locator("#gate-more").click(timeout=2_000)
            page.locator("#gate-menu .menu-buttons button").first.click(timeout=2_000)
        except PlaywrightTimeoutError:
            continue
        return
    raise AssertionError("the menu never stayed open")


def _await_worker(page: Page) -> None:
    """The page is kept for flight mode."""
    page.wait_for_function("() => navigator.serviceWorker.ready.then(() => true)")


def _with_doors_open(text: str) -> str:
    doors = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    times = {"freeze": doors, "doors": doors, "starts": doors + timedelta(hours=2), "ends": doors + timedelta(hours=6)}
    for key, value in times.items():
        text = re.sub(rf"^{key} *=.*$", f"{key} = {value.isoformat()}", text, flags=re.MULTILINE)
    return text
