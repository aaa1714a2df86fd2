"""Pictures of pages kept in build/screenshots for people to look at, and axe's judgement of what is on the screen."""

from functools import cache
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Page

TOP = Path(__file__).resolve().parents[2]
FOLDER = TOP / "build" / "screenshots"
AXE = TOP / "node_modules" / "axe-core" / "axe.min.js"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def keep(page: Page, name: str, language: str) -> None:
    """A picture of what is on the screen, light and dark."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.screenshot(path=FOLDER / f"{name}.{language}.{scheme}.png", animations="disabled", scale="css")


def look(page: Page, name: str, language: str) -> None:
    """Keep pictures, and let axe judge, light and dark."""
    keep(page, name, language)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = violations(page)
        assert not found, f"{name} in {language}, {scheme}: {found}"


def violations(page: Page) -> list[str]:
    """What axe finds wrong, in words. It is run by the browser's debugger, so the page's policy stays as it is."""
    page.evaluate(_axe())
    result: dict[str, Any] = page.evaluate("() => axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes']]}" for one in result["violations"]
    ]


@cache
def _axe() -> str:
    return AXE.read_text()
