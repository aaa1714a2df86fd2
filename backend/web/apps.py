"""The two pages that work without us: the wallet and the gate. Their sources are in `wallet/web` and `verifier/web`.

Each is one page per language, its modules, and a service worker that keeps them all. The addresses of the modules
mirror the folders (`/static/verifier/web/check.js`), so that the same imports work in a browser and in node.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from apiflask import APIBlueprint
from flask import Response, abort, redirect, render_template_string
from flask.typing import ResponseReturnValue

from backend.i18n import LANGUAGES
from backend.web.files import StaticFile, answer_with, read_folder, static_file
from backend.web.language import HTML_LANGUAGES, LANGUAGE_NAMES, current_language

TOP = Path(__file__).resolve().parents[2]
STATIC = Path("backend/web/static")
SHARED = STATIC / "js"  # modules that both pages use
LOOK = STATIC / "look"  # what all pages look like
PARTS = Path("backend/web/templates/parts.html")
CREDENTIAL = Path("credential/web")
_POLICY = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

DECODER = "/gate/decoder.js"

bp = APIBlueprint("apps", __name__, enable_openapi=False)


@dataclass(frozen=True)
class OfflineApp:
    """An offline page. `names` are what a home screen calls it, by language."""

    name: str
    folder: Path
    names: dict[str, str]
    needs_wasm: bool = False
    needs_camera: bool = False

    @property
    def entry(self) -> str:
        return f"/{self.name}"

    @property
    def pages(self) -> dict[str, str]:
        """The page's address, by language."""
        return {language: f"{self.entry}/{language}" for language in LANGUAGES}

    @cached_property
    def files(self) -> dict[str, "StaticFile"]:
        """What the service worker keeps besides the pages, by address."""
        shared = read_folder(TOP / SHARED, "/static/js/") | read_folder(TOP / LOOK, "/static/look/")
        return shared | _mirrored(CREDENTIAL) | _mirrored(self.folder)

    @cached_property
    def version(self) -> str:
        """Changes with every file and page."""
        parts = [f"{address} {file.digest}" for address, file in sorted(self.files.items())]
        return hashlib.sha256("\n".join([*parts, self.template, (TOP / PARTS).read_text()]).encode()).hexdigest()[:16]

    @cached_property
    def template(self) -> str:
        return (TOP / self.folder / f"{self.name}.html").read_text()

    @property
    def headers(self) -> dict[str, str]:
        scripts = " 'wasm-unsafe-eval'" if self.needs_wasm else ""
        camera = "(self)" if self.needs_camera else "()"
        return {
            "Content-Security-Policy": _POLICY.format(scripts=scripts),
            "Permissions-Policy": f"camera={camera}, microphone=(), geolocation=(), payment=()",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-cache",
        }


APPS = (
    OfflineApp("wallet", Path("wallet/web"), {"en": "Wallet", "zh": "钱包"}, needs_camera=False),
    OfflineApp("gate", Path("verifier/web"), {"en": "Gate", "zh": "检票"}, needs_wasm=True, needs_camera=True),
)
_BY_NAME = {app.name: app for app in APPS}


@bp.get("/<any(wallet, gate):name>")
def entry(name: str) -> ResponseReturnValue:
    """To the page in the reader's language. Never kept by caches: the choice differs from reader to reader."""
    return redirect(_BY_NAME[name].pages[current_language()], 302)


@bp.get("/<any(wallet, gate):name>/<any(en, zh):language>")
def page(name: str, language: str) -> Response:
    """The page itself, the same for everybody."""
    app = _BY_NAME[name]
    other = next(one for one in LANGUAGES if one != language)
    html = render_template_string(
        app.template,
        lang=HTML_LANGUAGES[language],
        other=app.pages[other],
        other_lang=HTML_LANGUAGES[other],
        other_name=LANGUAGE_NAMES[other],
        manifest=f"{app.entry}/{language}.webmanifest",
        name=app.names[language],
    )
    return answer_with(static_file(html.encode(), "text/html; charset=utf-8"), app.headers)


@bp.get("/<any(wallet, gate):name>/<any(en, zh):language>.webmanifest")
def manifest(name: str, language: str) -> Response:
    """How a home screen shows the page (W3C Web Application Manifest)."""
    app = _BY_NAME[name]
    told = {
        "id": app.entry,
        "name": f"Truestub {app.names[language]}",
        "short_name": app.names[language],
        "lang": HTML_LANGUAGES[language],
        "start_url": app.pages[language],
        "scope": app.entry,
        "display": "standalone",
        "background_color": "#faf8f3",
        "theme_color": "#faf8f3",
        "icons": [
            {"src": f"/static/{app.folder.as_posix()}/icon.svg", "sizes": "any", "type": "image/svg+xml"},
            {"src": f"/static/{app.folder.as_posix()}/icon.png", "sizes": "512x512", "type": "image/png"},
        ],
    }
    return answer_with(static_file(json.dumps(told, ensure_ascii=False).encode(), "application/manifest+json"))


@bp.get("/<any(wallet, gate):name>-worker.js")
def worker(name: str) -> Response:
    """The service worker: which files the page is made of, and what is done with them."""
    app = _BY_NAME[name]
    told = {
        "name": app.name,
        "version": app.version,
        "entry": app.entry,
        "pages": app.pages,
        "files": sorted([*app.files, *([DECODER] if app.needs_wasm else [])]),
    }
    body = f"const APP = {json.dumps(told)};\n" + (TOP / SHARED / "offline.js").read_text()
    headers = {**app.headers, "Service-Worker-Allowed": app.entry}
    return answer_with(static_file(body.encode(), "text/javascript; charset=utf-8"), headers)


@bp.get(DECODER)
def decoder() -> Response:
    """The decoder's worker, at an address of the gate's: only so are its own requests answered without a network."""
    body = b'import "/static/verifier/web/decoder.js";\n'
    return answer_with(static_file(body, "text/javascript; charset=utf-8"), _BY_NAME["gate"].headers)


@bp.get("/static/<path:path>")
def send_static(path: str) -> Response:
    """A module, style, picture or the decoder's program. A worker has the policy of its own script's answer."""
    file = static_files().get(f"/static/{path}")
    if file is None:
        abort(404)
    return answer_with(file, _BY_NAME["gate"].headers if path.endswith("/decoder.js") else None)


@cache
def static_files() -> dict[str, StaticFile]:
    """Everything below /static/, by address."""
    own = read_folder(TOP / STATIC, "/static/")
    return own | {address: file for app in APPS for address, file in app.files.items()}


def _mirrored(folder: Path) -> dict[str, StaticFile]:
    return read_folder(TOP / folder, f"/static/{folder.as_posix()}/")
