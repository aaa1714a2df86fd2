"""Security headers of the shop's pages: nothing inline, nothing from elsewhere, no frames. `app.py` has the rest."""

from flask import Response, current_app

from backend.wiring import Services

_POLICY = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",  # data: pico draws its arrows and ticks that way
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
]
_HEADERS = {
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def protect(response: Response) -> Response:
    """Give a page its headers; answers that set their own keep them."""
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", "; ".join([*_POLICY, _forms()]))
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
    return response


def _forms() -> str:
    """Where forms may lead: here, and to the pages of payment providers, which paying redirects to."""
    services: Services = current_app.extensions["truestub"]
    pages = sorted({one.pages for one in services.shop_payments.values() if one.pages is not None})
    return " ".join(["form-action 'self'", *pages])
