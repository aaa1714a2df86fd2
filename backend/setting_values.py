"""What a setting's text may be: each kind is read strictly, once, and refused by the setting's name.

A sentence says what to write instead and never repeats the value, which may be a secret.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from backend.errors import SettingError
from backend.i18n import gettext as _

PREFIX = "TRUESTUB_"
MAX_CHARACTERS = 8_000  # of any setting
MAX_URL = 2_000
MAX_NAME = 255  # bytes of a file or folder
MAX_DIGITS = 20
MAX_PORT = 65_535
MAX_UNITS_PER_MINOR = 2**62  # of a token; the contract's own limit is 2**72

_ADDRESS = re.compile(r"[!-~]+")  # no blank, no control character; other letters are percent-encoded or punycode
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_SENDER = re.compile(r"([^<>@]*<[^\s<>@/:]+@[^\s<>@/:]+>|[^\s<>@/:]+@[^\s<>@/:]+)")
_SERVICE = re.compile(r"[A-Za-z][A-Za-z0-9]*://[!-~]+")
_KILL_AT = re.compile(r"([a-z_]+\.[a-z_]+(:[1-9][0-9]{0,8}(:stop)?)?)?")
_TOKEN = re.compile(r"(?P<currency>[A-Z]{3})=(?:native|0x(?P<address>[0-9a-fA-F]{40})):(?P<units>[0-9]{1,20})")

Network = IPv4Network | IPv6Network
Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class TokenSetting:
    """What stands for a currency on the chain: an ERC-20's address, or 20 zero bytes for the native coin."""

    currency: str
    token: bytes
    units_per_minor: int


def is_url(value: str, *schemes: str) -> bool:
    """Whether it is the address of a server that could be asked by one of these protocols."""
    if len(value) > MAX_URL or not _ADDRESS.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        return False


class Reader:
    """Typed look-ups that name the setting they fail on."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, default: str | None) -> str:
        """Printable text; a default of none: it must be set."""
        value = self._environ.get(PREFIX + name, default)
        if value is None:
            raise SettingError(PREFIX + name, _("is missing; set it in the environment"))
        if len(value) > MAX_CHARACTERS or not value.isprintable():
            sentence = _("must be at most %d characters in one line, without control characters") % MAX_CHARACTERS
            raise SettingError(PREFIX + name, sentence)
        return value

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """One of a few words."""
        value = self.text(name, default)
        if value not in allowed:
            raise SettingError(PREFIX + name, _("must be one of: %s") % ", ".join(allowed))
        return value

    def flag(self, name: str, default: bool) -> bool:
        """0 or 1."""
        return self.choice(name, "1" if default else "0", ("0", "1")) == "1"

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number in decimal digits."""
        value = self.text(name, str(default))
        digits = value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS
        if not digits or not low <= int(value) <= high:
            words = {"low": low, "high": high}
            raise SettingError(PREFIX + name, _("must be a whole number from %(low)d to %(high)d") % words)
        return int(value)

    def words(self, name: str, default: str, most: int) -> str:
        """Text that is shown."""
        value = self.text(name, default).strip()
        if not 0 < len(value) <= most:
            raise SettingError(PREFIX + name, _("must be 1 to %d characters") % most)
        return value

    def secret(self, name: str, least: int = 0) -> str:
        """What is sent in a header; empty if there is none."""
        value = self.text(name, "").strip()
        if value and (len(value) < least or not _ADDRESS.fullmatch(value)):
            sentence = _("must be at least %d letters, digits and signs of ASCII, without blanks") % max(1, least)
            raise SettingError(PREFIX + name, sentence)
        return value

    def folder(self, name: str, default: str | None) -> Path:
        """Where there is a folder, or may be one."""
        value = self.text(name, default)
        path = Path(value).resolve()
        named = value.strip() and "://" not in value and all(len(part.encode()) <= MAX_NAME for part in path.parts)
        if not named or not next(one for one in (path, *path.parents) if one.exists()).is_dir():
            raise SettingError(PREFIX + name, _("must be a folder's path; the folder is made if it is not there"))
        return path

    def url(self, name: str, default: str | None) -> str:
        """An HTTP address."""
        return self.url_value(name, self.text(name, default))

    def origin(self, name: str, default: str | None) -> str:
        """An HTTP address to which paths are put; it is shown to everybody."""
        value = self.url(name, default)
        if any(sign in value for sign in "?#@"):
            raise SettingError(PREFIX + name, _("must be an address without ?, # and @, such as https://example.org"))
        return value

    def url_value(self, name: str, value: str) -> str:
        """The same of a part of a setting."""
        if not is_url(value.strip(), "http", "https"):
            raise SettingError(
                PREFIX + name, _("must be an address that begins with http:// or https://, such as https://example.org")
            )
        return value.strip().rstrip("/")

    def urls(self, name: str) -> tuple[str, ...]:
        """HTTP addresses, separated by commas."""
        return self._parts(name, lambda part: self.url_value(name, part))

    def host(self, name: str, default: str) -> str:
        """An address or a host's name."""
        value = self.text(name, default)
        try:
            ip_address(value)
        except ValueError:
            if not _HOST.fullmatch(value):
                raise SettingError(PREFIX + name, _("must be an address or a host's name, such as 127.0.0.1")) from None
        return value

    def networks(self, name: str) -> tuple[Network, ...]:
        """`10.0.0.0/8,::1`: addresses and networks."""
        try:
            return self._parts(name, ip_network)
        except ValueError:
            raise SettingError(
                PREFIX + name, _("must be addresses or networks, such as 127.0.0.1,10.0.0.0/8")
            ) from None

    def chain_tokens(self, name: str) -> tuple[TokenSetting, ...]:
        """`EUR=native:400000000000,USD=0x...:10000`: currency, token, its units for one minor unit."""

        def token(part: str) -> TokenSetting:
            match = _TOKEN.fullmatch(part)
            units = int(match["units"]) if match else 0
            if match is None or not 0 < units <= MAX_UNITS_PER_MINOR:
                raise SettingError(PREFIX + name, _("must look like EUR=native:400000000000,USD=0x<address>:10000"))
            address = match["address"]
            return TokenSetting(match["currency"], bytes.fromhex(address) if address else bytes(20), units)

        return self._parts(name, token)

    def smtp_url(self, name: str) -> str:
        """A mail server's address; empty if there is none."""
        value = self.text(name, "")
        if value and not is_url(value, "smtp", "smtps"):
            sentence = _("must look like smtp://user:password@host:587, or smtps://, with what is special in it as %XX")
            raise SettingError(PREFIX + name, sentence)
        return value

    def sender(self, name: str, default: str) -> str:
        """Whom mails come from."""
        value = self.text(name, default)
        if not _SENDER.fullmatch(value):
            raise SettingError(PREFIX + name, _("must be a mail address, such as tickets@example.org"))
        return value

    def services(self, name: str) -> tuple[str, ...]:
        """Addresses as apprise writes them, separated by commas."""

        def service(part: str) -> str:
            if not _SERVICE.fullmatch(part):
                raise SettingError(PREFIX + name, _("must be services as apprise writes them, such as mailto://..."))
            return part

        return self._parts(name, service)

    def database_url(self, name: str, default: str | None) -> str:
        """SQLite's file or a PostgreSQL server."""
        value = self.text(name, default)
        file = Path(value.removeprefix("sqlite:///"))
        known = value.startswith("sqlite:///") and bool(file.name) and not file.is_dir()
        if value.startswith("postgresql://") and _ADDRESS.fullmatch(value):
            try:
                url = make_url(value.replace("postgresql://", "postgresql+psycopg://", 1))
                url.get_dialect()().create_connect_args(url)
                known = url.port is None or 0 < url.port <= MAX_PORT
            except (ArgumentError, ValueError):
                pass
        if not known:
            sentence = _("must look like postgresql://user:password@host:5432/name or sqlite:////folder/file.sqlite")
            raise SettingError(PREFIX + name, sentence)
        return value

    def kill_at(self, name: str) -> str:
        """A place of `backend.killpoints`; empty: none."""
        value = self.text(name, "")
        if not _KILL_AT.fullmatch(value):
            raise SettingError(PREFIX + name, _("must name a place, such as relayer.sent or relayer.sent:3"))
        return value

    def _parts(self, name: str, read: Callable[[str], Kind]) -> tuple[Kind, ...]:
        return tuple(read(part.strip()) for part in self.text(name, "").split(",") if part.strip())
