"""The organiser's desk in a browser: an installation, its owners, and what every journey does there."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyotp
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import Engine

from backend.db.engine import make_engine
from tests.pages.looks import FOLDER, SCHEMES, violations
from tests.pages.phones import HEIGHT, WAIT_MS, WIDTH
from tests.support.installation import COMMAND_SECONDS, Installation, wait_until

WIDE = 1280  # of a desk's screen
PASSWORD = "seven lanterns over the river"


@dataclass
class House:
    """An installation with signer and web server, and owners of its desk. `keys` are of their second factors."""

    url: str
    engine: Engine
    keys: dict[str, str]
    used: Counter[str] = field(default_factory=Counter)

    def code(self, name: str = "anna") -> str:
        """A code that was not used yet, twice for each: the server takes one step ahead as well."""
        self.used[name] += 1
        return pyotp.TOTP(self.keys[name]).at(time.time() + 30 * (self.used[name] - 1))


@contextmanager
def open_house(folder: Path, *owners: str) -> Iterator[House]:
    """A desk with these owners."""
    made = Installation(folder)
    url = made.url.replace("127.0.0.1", "localhost")  # browsers make passkeys for names, not for numbers
    made.environ["TRUESTUB_PUBLIC_URL"] = url
    engine = None
    try:
        made.run("init")
        made.start("signer", "signer", "run")
        made.start("web")
        keys = {name: add_owner(made, name) for name in owners}
        wait_until(made.web_answers, "the web server")
        wait_until(lambda: Path(made.environ["TRUESTUB_DATA_DIR"], "signer.sock").exists(), "the signer")
        engine = make_engine(made.database_url)
        yield House(url, engine, keys)
    finally:
        if engine is not None:
            engine.dispose()
        made.close()


def add_owner(made: Installation, name: str) -> str:
    """The key of the new account's second factor."""
    command = [sys.executable, "-m", "backend", "desk", "add-user", name, "--role", "owner", "--password-stdin"]
    added = subprocess.run(
        command,
        env=made.environ,
        input=PASSWORD + "\n",
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=True,
    )
    return added.stdout.split()[-1]


def visitor(browser: Browser, language: str = "en-GB", *, scripts: bool = True) -> BrowserContext:
    context = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT}, locale=language, java_script_enabled=scripts, has_touch=True
    )
    context.set_default_timeout(WAIT_MS)
    return context


def see(page: Page, name: str, language: str = "en", width: int = WIDTH) -> None:
    """A picture of the whole page, and axe's judgement, light and dark."""
    page.set_viewport_size({"width": width, "height": HEIGHT})
    FOLDER.mkdir(parents=True, exist_ok=True)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.screenshot(path=FOLDER / f"desk-{name}.{language}.{scheme}.png", full_page=True, animations="disabled")
        found = violations(page)
        assert not found, f"{name} in {language}, {scheme}: {found}"
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})


def see_everywhere(page: Page, house: House, name: str) -> None:
    """On a phone and on a desk, in English and in Chinese."""
    for language in ("en", "zh"):
        page.context.add_cookies([{"name": "language", "value": language, "url": house.url}])
        page.reload()
        see(page, name, language)
        see(page, f"{name}-wide", language, WIDE)
    page.context.clear_cookies(name="language")
    page.reload()


def sign_in(page: Page, house: House, name: str = "anna") -> None:
    page.goto(f"{house.url}/desk")
    page.locator("#name").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.locator("#code").fill(house.code(name))
    page.locator("form[action='/desk/sign-in'] button").click()
    page.wait_for_url(f"{house.url}/desk")


def create_event(page: Page, slug: str) -> None:
    page.locator("a[href='/desk/new']").click()
    for name, value in {
        "name": "River Night 河畔之夜",
        "slug": slug,
        "venue": "Hall",
        "doors": "2030-06-15T18:00",
        "starts": "2030-06-15T20:00",
        "ends": "2030-06-15T23:00",
        "class-1-name": "Standing",
        "class-1-code": "standing",
        "class-1-price": "49.50",
        "class-1-capacity": "100",
        "class-2-name": "Balcony",
        "class-2-code": "balcony",
        "class-2-price": "72.00",
        "class-2-rows": "A: 1-6; B: 1-6",
    }.items():
        page.locator(f"[id='{name}']").fill(value)
