"""Files of the pages, served from memory: read, hashed and compressed once.

A file asked for with its hash (`?v=`) may be kept for a year; without, it is revalidated by its ETag. An `@import` at
the head of a style sheet, with a layer or without, is put in its place, so that a page needs one request for its looks.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from flask import Response, request

YEAR_SECONDS = 365 * 24 * 3600
_SMALLEST_COMPRESSED = 512  # bytes; below it the header costs more than is saved
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
_NOT_SERVED = ("package.json", "offline.js")  # for node; the body of a service worker, which gets a head first
_IMPORT = re.compile(r'^@import url\("([^":]+)"\)(?: layer\(([a-z]+)\))?;$', re.MULTILINE)


@dataclass(frozen=True)
class StaticFile:
    """A file's bytes; `compressed` is gzip, none where that would not be smaller."""

    content: bytes
    compressed: bytes | None
    media_type: str

    @cached_property
    def digest(self) -> str:
        """SHA-256, hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def version(self) -> str:
        """What follows `?v=`."""
        return self.digest[:12]


def static_file(content: bytes, media_type: str) -> StaticFile:
    """A file made of bytes at hand."""
    compressed = gzip.compress(content, 9, mtime=0) if len(content) >= _SMALLEST_COMPRESSED else None
    return StaticFile(content, compressed, media_type)


def read_folder(folder: Path, prefix: str) -> dict[str, StaticFile]:
    """The files below `folder` that browsers may have, by address: `prefix` and the path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _TYPES and path.name not in _NOT_SERVED:
            content = _inlined(path) if path.suffix == ".css" else path.read_bytes()
            found[prefix + path.relative_to(folder).as_posix()] = static_file(content, _TYPES[path.suffix])
    return found


def answer_with(file: StaticFile, headers: dict[str, str] | None = None) -> Response:
    """The answer to a request for `file`: compressed where the browser takes it, 304 where it has it."""
    answer = Response(file.content, content_type=file.media_type)
    asked_by_version = request.args.get("v") == file.version
    answer.headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable" if asked_by_version else "no-cache"
    answer.headers.update(headers or {})
    answer.set_etag(file.version, weak=True)  # one tag for both encodings
    answer.vary.add("Accept-Encoding")
    if file.compressed is not None and request.accept_encodings["gzip"]:
        answer.data = file.compressed
        answer.headers["Content-Encoding"] = "gzip"
    answer.make_conditional(request)
    return answer


def _inlined(path: Path) -> bytes:
    def put(match: re.Match[str]) -> str:
        inner = (path.parent / match[1]).read_text().replace('@charset "UTF-8";', "", 1)
        return f"@layer {match[2]}{{{inner}}}" if match[2] else inner

    return _IMPORT.sub(put, path.read_text()).encode()
