"""The pages as the real application serves them, on a free port; Chromium as phones."""

import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from backend.app import create_app
from backend.settings import settings_from
from tests.pages.gate_world import GateWorld
from tests.pages.phones import WAIT_MS, Watched, chromium, phone
from tests.pages.shop_page import Shop, guest, open_shop

Phone = Callable[..., BrowserContext]


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    """Not for longer than these tests: meanwhile its event loop runs, and no other may in this thread."""
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as running:
        yield running


class _KeepAlive(WSGIRequestHandler):
    """A page is forty small files: one connection for many."""

    protocol_version = "HTTP/1.1"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, _sqlite_template: Path) -> Iterator[str]:
    """The address of an installation without events; what a test wants the API to say, it says itself."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    data = tmp_path_factory.mktemp("site")
    shutil.copy(_sqlite_template, data / "truestub.sqlite")
    app = create_app(settings_from({"TRUESTUB_DATA_DIR": str(data)}))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_KeepAlive)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def a_phone(playwright: Playwright, tmp_path: Path) -> Iterator[Phone]:
    """Opens phones; the same `name` is the same phone, switched on again. All are switched off at the end."""
    with ExitStack() as stack:

        def switch_on(name: str = "phone", **options: Any) -> BrowserContext:
            opened: AbstractContextManager[BrowserContext] = phone(playwright, tmp_path / name, **options)
            return stack.enter_context(opened)

        yield switch_on


@pytest.fixture(scope="package")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium for the tests that need neither a camera nor a restart: each takes a context of its own."""
    switches = ["--no-sandbox", "--disable-dev-shm-usage"]
    running = playwright.chromium.launch(executable_path=chromium(), args=switches, timeout=WAIT_MS)
    yield running
    running.close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One for all tests: each has events and orders of its own."""
    with open_shop(tmp_path_factory.mktemp("shop")) as opened:
        yield opened


@pytest.fixture
def world() -> GateWorld:
    return GateWorld()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A guest's, on a phone; nothing may complain in its console."""
    with guest(browser) as context:
        page = context.new_page()
        watched = Watched(page)
        yield page
        assert watched.complaints == []
