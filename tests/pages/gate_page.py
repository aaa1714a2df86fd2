"""The gate's page as its staff use it."""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.pages.gate_world import GateWorld
from tests.pages.phones import HEIGHT, WAIT_MS, WIDTH, Watched

# A scanner is a keyboard. Its keys are sent as the page hears them; `code` is the key's place, whatever the layout.
_SCAN = """(digits) => {
  const press = (code) => {
    const target = document.activeElement ?? document.body;
    const event = new KeyboardEvent("keydown", { code, key: "?", bubbles: true, cancelable: true });
    return target.dispatchEvent(event);
  };
  for (const digit of digits) press("Digit" + digit);
  return press("Enter");
}"""

# A verdict may be gone before a test looks: an admission stays for 4 s. The page keeps every one it showed.
_RECORD = """addEventListener("DOMContentLoaded", () => {
  const verdict = document.getElementById("gate-verdict");
  window.shownVerdicts = [];
  if (verdict === null) return;
  const note = () => verdict.hidden || shownVerdicts.push({ code: verdict.dataset.code, words: verdict.innerText });
  new MutationObserver(note).observe(verdict, { attributes: true, attributeFilter: ["data-code"] });
})"""


def record_verdicts(context: BrowserContext) -> None:
    """For `shown_verdicts`; before the page is opened."""
    context.add_init_script(_RECORD)


def shown_verdicts(page: Page) -> list[str]:
    """The codes of all verdicts that filled the screen since the page was loaded, oldest first."""
    return [one["code"] for one in page.evaluate("shownVerdicts")]


def await_verdict(page: Page, code: str) -> None:
    """It fills the screen, or did."""
    page.wait_for_function("(code) => shownVerdicts.some((one) => one.code === code)", arg=code, timeout=WAIT_MS)


@dataclass
class GatePage:
    page: Page
    site: str
    world: GateWorld
    watched: Watched

    @classmethod
    def visit(cls, context: BrowserContext, site: str, world: GateWorld, language: str = "en") -> "GatePage":
        """Opens the page; the world answers for the server."""
        world.serve(context)
        record_verdicts(context)
        page = context.new_page()
        watched = Watched(page)
        page.goto(f"{site}/gate/{language}")
        return cls(page, site, world, watched)

    def set_up(self) -> "GatePage":
        """Paste the set-up code."""
        self.page.locator("#setup-code").fill(self.world.setup_code(self.site))
        self.page.locator("#gate-stage button[type=submit]").click()
        expect(self.page.locator("#gate-stage[data-stage=ready]")).to_be_visible(timeout=WAIT_MS)
        return self

    def with_scanner(self) -> "GatePage":
        """No camera: a USB scanner."""
        self.page.locator("#gate-stage button.quiet").last.click()
        expect(self.page.locator("#gate-stage[data-stage=scanner]")).to_be_visible()
        return self

    def with_camera(self) -> "GatePage":
        self.page.locator("#gate-stage button.big").click()
        return self

    def scan(self, digits: str) -> str:
        """What the page says to one scan: the verdict's code."""
        before = self.scans
        self.page.evaluate(_SCAN, digits)
        expect(self.page.locator(".scans-list li")).to_have_count(before + 1)
        return self.page.locator(".scans-list li").first.get_attribute("data-code") or ""

    def await_verdict(self, code: str) -> None:
        await_verdict(self.page, code)

    @property
    def scans(self) -> int:
        return self.page.locator(".scans-list li").count()

    @property
    def verdict(self) -> str:
        """The words of the last verdict, even if it has made way for the camera."""
        return str(self.page.evaluate("shownVerdicts.at(-1).words"))

    def sync(self) -> None:
        """Press "Sync now"."""
        self.page.locator("#gate-more").click()
        self.page.locator("#gate-menu .menu-buttons button").first.click()
        self.page.locator("#gate-menu .menu-buttons button").last.click()
        expect(self.page.locator("#gate-menu")).not_to_be_visible()
        expect(self.page.locator("#gate-status")).not_to_have_attribute("aria-busy", "true")

    def waiting(self, number: int) -> None:
        """So many admissions were not handed over, says the strip at the top."""
        expect(self.page.locator(".status-waiting")).to_have_text(f"{number} unsent")


def under_plain_http(context: BrowserContext, site: str) -> str:
    """An address under which the browser trusts the site as little as any page without https; serves it there."""
    address = site.replace("127.0.0.1", "hall.test")

    def serve(route: Route) -> None:
        route.fulfill(response=route.fetch(url=site + route.request.url.removeprefix(address)))

    context.route(f"{address}/**", serve)
    return address


def small_phone(browser: Browser, **options: Any) -> BrowserContext:
    """A context of its own in the shared browser, of a phone's size; service workers on request."""
    wanted: dict[str, Any] = {"service_workers": "block", "device_scale_factor": 2, "has_touch": True, **options}
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, **wanted)
    context.set_default_timeout(WAIT_MS)
    return context
