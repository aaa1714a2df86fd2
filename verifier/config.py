"""A gate's folder: what it was told when it was set up, and the names of its files."""

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from credential.codes import MAX_GATE_NUMBER
from credential.keylist import TrustRoot
from credential.signing import is_valid_holder_key
from verifier.errors import GateError
from verifier.files import replace_file
from verifier.i18n import gettext as _
from verifier.log import create_log

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
MAX_TOKEN_CHARS = 512


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one gate."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "gate.json"

    @property
    def token(self) -> Path:
        return self.path / "token"

    @property
    def key_list(self) -> Path:
        return self.path / "keys.bin"

    @property
    def bundle(self) -> Path:
        return self.path / "bundle.bin"

    @property
    def marks(self) -> Path:
        return self.path / "marks.json"

    @property
    def log(self) -> Path:
        return self.path / "admissions.log"

    @property
    def scan_lock(self) -> Path:
        return self.path / "scan.lock"

    @property
    def sync_lock(self) -> Path:
        return self.path / "sync.lock"


@dataclass(frozen=True, slots=True)
class Config:
    """`event` is the event's id or its short name on the server; the first bundle settles which event that is."""

    trust_root: TrustRoot
    event: str
    gate_number: int
    server: str


# High-water marks of a gate that has accepted nothing yet; the file is never absent again (`verifier.marks`).
NO_MARKS = {"key_list_version": 0, "bundle_version": 0, "event_id": None, "trust_root": None}


def set_up(folder: Folder, config: Config, token: str) -> None:
    """Write a new gate's folder. `GateError("already_set_up")` if it is one: its log must never be replaced."""
    if folder.config.exists() or folder.log.exists():
        raise GateError("already_set_up", _("{path} is a gate's folder already. Use another.").format(path=folder.path))
    check_server(config.server)
    if not 1 <= config.gate_number <= MAX_GATE_NUMBER:
        raise GateError("bad_gate_number", _("A gate's number is from 1 to {most}.").format(most=MAX_GATE_NUMBER))
    if not config.event or not all(char.isalnum() or char in "-_" for char in config.event):
        raise GateError("bad_event", _("Name the event by its id or its short name, as the operator gave it."))
    folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    create_log(folder.log)
    replace_file(folder.token, token.encode(), 0o600)
    replace_file(folder.marks, json.dumps(NO_MARKS).encode())
    replace_file(folder.config, json.dumps(_to_json(config), indent=1).encode())


def load(folder: Folder) -> Config:
    """`GateError("not_set_up")` or `GateError("config_damaged")` if there is none that can be read."""
    try:
        stored = json.loads(folder.config.read_bytes())
        trust_root = parse_trust_root(stored["trust_root"])
        return Config(trust_root, str(stored["event"]), int(stored["gate_number"]), str(stored["server"]))
    except FileNotFoundError:
        raise GateError(
            "not_set_up", _("{path} is not a gate's folder. Run `truestub-gate init` first.").format(path=folder.path)
        ) from None
    except (ValueError, KeyError, TypeError):
        raise GateError(
            "config_damaged",
            _("{path} can't be read. Restore it, or use another gate.").format(path=folder.config),
        ) from None


def read_trust_root(path: Path) -> TrustRoot:
    """The trust root in a file (SPEC 5.1). `GateError("bad_trust_root")` if it is none."""
    try:
        return parse_trust_root(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        raise GateError(
            "bad_trust_root",
            _("{path} is no trust root. Take the file that `truestub keys root` prints.").format(path=path),
        ) from None


def parse_trust_root(stored: dict[str, Any]) -> TrustRoot:
    """`ValueError`, `KeyError` or `TypeError` if it is none."""
    roots = tuple(bytes.fromhex(root) for root in stored["root_keys"])
    platform_id, threshold = bytes.fromhex(stored["platform_id"]), int(stored["threshold"])
    if len(platform_id) != 16 or not 1 <= threshold <= len(set(roots)) == len(roots):
        raise ValueError("sizes")
    if not all(is_valid_holder_key(root) for root in roots):
        raise ValueError("keys")
    return TrustRoot(platform_id, threshold, roots)


def read_token(path: Path) -> str:
    """The gate's bearer token. `GateError("bad_token")` unless it is one word of plain characters."""
    try:
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token or len(token) > MAX_TOKEN_CHARS or not token.isprintable() or " " in token:
        raise GateError("bad_token", _("{path} holds no gate token. Enrol the gate anew.").format(path=path))
    return token


def check_server(server: str) -> None:
    """`GateError("bad_server")` unless https, or http to this very machine: the token must not travel in the clear."""
    try:
        parts = urlsplit(server)
        good = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        parts, good = urlsplit(""), False
    if not good or parts.query or parts.fragment or parts.username or parts.scheme not in {"http", "https"}:
        raise GateError("bad_server", _("The server is an address such as https://tickets.example."))
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise GateError("plain_http_refused", _("The gate's token must not travel unencrypted. Use https."))


def trust_root_to_json(root: TrustRoot) -> dict[str, Any]:
    """The inverse of `parse_trust_root`."""
    return {
        "platform_id": root.platform_id.hex(),
        "threshold": root.threshold,
        "root_keys": [key.hex() for key in root.root_keys],
    }


def _to_json(config: Config) -> dict[str, Any]:
    return {
        "trust_root": trust_root_to_json(config.trust_root),
        "event": config.event,
        "gate_number": config.gate_number,
        "server": config.server,
    }


def event_id_in(event: str) -> uuid.UUID | None:
    """The event's id, if it was named by it."""
    try:
        return uuid.UUID(event)
    except ValueError:
        return None
