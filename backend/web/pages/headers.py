"""Security headers of the shop's pages: nothing inline, nothing from elsewhere, no frames. `app.py` has the rest."""

from flask import Response

_POLICY = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",  # data: pico draws its arrows and ticks that way
    "connect-src 'self'",
    "manifest-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
]
_HEADERS = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def protect(response: Response) -> Response:
    """Give a page its headers; answers that set their own keep them."""
    if response.mimetype == "text/html":
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
    return response
