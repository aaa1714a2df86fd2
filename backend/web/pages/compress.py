"""Compress pages on their way out. Static files come compressed already; streams are left alone."""

import gzip

from flask import Response, request

_SMALLEST_COMPRESSED = 860  # bytes; below it one packet carries the page either way
_LEVEL = 5  # of gzip: most of the gain for a little of the time


def compress(response: Response) -> Response:
    """Compress HTML where the browser takes gzip."""
    if response.mimetype != "text/html" or response.is_streamed or "Content-Encoding" in response.headers:
        return response
    response.vary.add("Accept-Encoding")
    content = response.get_data()
    if len(content) >= _SMALLEST_COMPRESSED and request.accept_encodings["gzip"]:
        response.set_data(gzip.compress(content, _LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
