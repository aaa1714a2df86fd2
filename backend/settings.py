"""Settings from the environment, `TRUESTUB_*`. A missing or unsafe one is named, with what to do.

Every setting is listed in `Settings`; an unknown `TRUESTUB_` variable is refused, since it is a typing error or an old
name, and a setting that silently does nothing is worse than one that stops the start.
"""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from backend.errors import SettingError
from backend.i18n import gettext as _

PREFIX = "TRUESTUB_"
DEFAULT_DATA_DIR = "truestub-data"
STRIPE_API = "https://api.stripe.com"
MAX_LIMIT = 1_000_000_000  # of what one address may do; more than anybody can
MAX_UNITS_PER_MINOR = 2**62  # of a token; the contract's own limit is 2**72
MAX_URL = 2_000  # characters
_ADDRESS = re.compile(r"[!-~]+")  # no blank, no control character; other letters are percent-encoded or punycode
_TOKEN = re.compile(r"(?P<currency>[A-Z]{3})=(?:native|0x(?P<address>[0-9a-fA-F]{40})):(?P<units>[0-9]{1,20})")


Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class TokenSetting:
    """What stands for a currency on the chain: an ERC-20's address, or 20 zero bytes for the native coin."""

    currency: str
    token: bytes
    units_per_minor: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What an installation is told. Paths are absolute, times are in the unit of their name."""

    data_dir: Path  # keys, socket, default database, logs
    database_url: str  # sqlite:///... or postgresql://...
    public_url: str  # what buyers and gates reach us by
    web_host: str
    web_port: int
    trusted_proxies: tuple[Network, ...]  # whose X-Forwarded-For counts; empty: nobody's
    holds_per_second: int  # orders from one address in the long run; ten times as many at once
    unpaid_holds: int  # of one address at once
    places_per_hour: int  # in waiting rooms, and on waiting lists, from one address; as many at once
    lookups_per_hour: int  # orders looked for, and codes by mail asked for, from one address; as many at once
    node_urls: tuple[str, ...]  # JSON-RPC endpoints, in order of preference; empty: selling without minting
    chain_id: int
    finality_blocks: int  # a block this deep is final
    development_chain: bool  # may replay beyond finality without a command
    batch_wait_seconds: int  # longest wait of a paid ticket for its batch
    sandbox_payments: bool  # accept the sandbox provider; never in production
    stripe_key: str = field(repr=False)  # secret or restricted key of a Stripe account; empty: no payments by Stripe
    stripe_webhook_secret: str = field(repr=False)  # of the webhook endpoint that Stripe was given
    stripe_api_url: str  # Stripe's API; another one in tests only
    stripe_pages: str  # origin of the hosted Checkout; another one with a custom domain
    chain_tokens: tuple[TokenSetting, ...]  # what buyers may pay with on the chain; empty: nothing
    smtp_url: str  # smtp:// or smtps://, with user and password if the server wants them; empty: no mail is sent
    mail_from: str  # whom our mails come from
    alert_urls: tuple[str, ...]  # where operators are told of incidents, as apprise writes addresses
    metrics_token: str  # whoever scrapes /metrics sends it as a bearer; empty: nobody may in production
    terms_version: str  # kept with each order that agreed to them
    keep_personal_days: int  # after an event; then names and addresses of its buyers are erased
    environment: str  # production | development
    kill_at: str  # for tests only, see backend.killpoints

    @property
    def keys_dir(self) -> Path:
        """Private keys, one file each, readable by their owner only."""
        return self.data_dir / "keys"

    @property
    def signer_socket(self) -> Path:
        """The Unix socket of the signer process."""
        return self.data_dir / "signer.sock"


def settings_from(environ: Mapping[str, str]) -> Settings:
    """Read and check the settings; raises `SettingError` naming the first that can't work."""
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            raise SettingError(name, _("is not a setting; look for a typing error, or unset it"))
    get = _Reader(environ)
    environment = get.choice("ENVIRONMENT", "development", ("production", "development"))
    production = environment == "production"
    data_dir = Path(get.text("DATA_DIR", None if production else DEFAULT_DATA_DIR)).resolve()
    settings = Settings(
        data_dir=data_dir,
        database_url=get.database_url("DATABASE_URL", None if production else f"sqlite:///{data_dir}/truestub.sqlite"),
        public_url=get.url("PUBLIC_URL", None if production else "http://127.0.0.1:8080"),
        web_host=get.text("WEB_HOST", "127.0.0.1"),
        web_port=get.whole("WEB_PORT", 8080, 0, 65535),
        trusted_proxies=get.networks("TRUSTED_PROXIES"),
        holds_per_second=get.whole("HOLDS_PER_SECOND", 60, 1, MAX_LIMIT),
        unpaid_holds=get.whole("UNPAID_HOLDS", 300, 1, MAX_LIMIT),
        places_per_hour=get.whole("PLACES_PER_HOUR", 300, 1, MAX_LIMIT),
        lookups_per_hour=get.whole("LOOKUPS_PER_HOUR", 300, 1, MAX_LIMIT),
        node_urls=tuple(get.url_value("NODE_URLS", part) for part in get.text("NODE_URLS", "").split(",") if part),
        chain_id=get.whole("CHAIN_ID", 31337, 1, 2**53),
        finality_blocks=get.whole("FINALITY_BLOCKS", 12, 1, 10_000),
        development_chain=get.flag("DEVELOPMENT_CHAIN", not production),
        batch_wait_seconds=get.whole("BATCH_WAIT_SECONDS", 60, 0, 3600),
        sandbox_payments=get.flag("SANDBOX_PAYMENTS", not production),
        stripe_key=get.text("STRIPE_KEY", "").strip(),
        stripe_webhook_secret=get.text("STRIPE_WEBHOOK_SECRET", "").strip(),
        stripe_api_url=get.url("STRIPE_API_URL", STRIPE_API),
        stripe_pages=get.url("STRIPE_PAGES", "https://checkout.stripe.com"),
        chain_tokens=get.chain_tokens("CHAIN_TOKENS"),
        smtp_url=get.smtp_url("SMTP_URL"),
        mail_from=get.text("MAIL_FROM", "truestub@localhost"),
        alert_urls=tuple(part.strip() for part in get.text("ALERT_URLS", "").split(",") if part.strip()),
        metrics_token=get.text("METRICS_TOKEN", ""),
        terms_version=get.text("TERMS_VERSION", "1")[:20],
        keep_personal_days=get.whole("KEEP_PERSONAL_DAYS", 180, 1, 3650),
        environment=environment,
        kill_at=get.text("KILL_AT", ""),
    )
    _check_stripe(settings, production=production)
    if production:
        _refuse_unsafe(settings)
    return settings


def require_private(path: Path) -> None:
    """Raise `SettingError` if others than its owner may read the file or folder `path`."""
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingError(str(path), _("may be read by others; run chmod go-rwx on it"))


def is_web_address(value: str) -> bool:
    """Whether it is the address of an HTTP server that could be asked."""
    if len(value) > MAX_URL or not _ADDRESS.fullmatch(value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        return False


def _check_stripe(settings: Settings, *, production: bool) -> None:
    """Refuse keys that can't work or that would do what nobody means. No sentence repeats a key."""
    key, secret = settings.stripe_key, settings.stripe_webhook_secret
    if not key and not secret:
        return
    if not key:
        raise SettingError(PREFIX + "STRIPE_KEY", _("is missing; the webhook's secret alone takes no payments"))
    if not key.startswith(("sk_test_", "rk_test_", "sk_live_", "rk_live_")):
        raise SettingError(PREFIX + "STRIPE_KEY", _("must be a secret or restricted key: sk_... or rk_..., not pk_..."))
    if not secret.startswith("whsec_"):
        sentence = _(
            "must be the signing secret of the webhook endpoint, whsec_...; without it nothing Stripe says counts"
        )
        raise SettingError(PREFIX + "STRIPE_WEBHOOK_SECRET", sentence)
    live = key[3:].startswith("live_")
    if production and not live:
        raise SettingError(PREFIX + "STRIPE_KEY", _("is a test key: tickets would be given for no money"))
    if live and not production:
        raise SettingError(
            PREFIX + "STRIPE_KEY", _("is a live key; set TRUESTUB_ENVIRONMENT=production to take real money")
        )
    if live and settings.stripe_api_url != STRIPE_API:
        raise SettingError(PREFIX + "STRIPE_API_URL", _("must be left out with a live key"))
    if live and not settings.stripe_pages.startswith("https://"):
        raise SettingError(PREFIX + "STRIPE_PAGES", _("must begin with https:// in production"))


def _refuse_unsafe(settings: Settings) -> None:
    if settings.sandbox_payments:
        raise SettingError(PREFIX + "SANDBOX_PAYMENTS", _("gives tickets for no money; switch it off in production"))
    if settings.kill_at:
        raise SettingError(PREFIX + "KILL_AT", _("kills this program on purpose; unset it"))
    if settings.development_chain:
        raise SettingError(PREFIX + "DEVELOPMENT_CHAIN", _("rewrites history by itself; switch it off in production"))
    if urlsplit(settings.public_url).scheme != "https":
        raise SettingError(PREFIX + "PUBLIC_URL", _("must begin with https:// in production"))
    if not settings.trusted_proxies and _is_loopback(settings.web_host):
        # Only a proxy can reach us there: all visitors would share its address, and so one visitor's limits.
        sentence = _("is missing; name the proxy's address, such as 127.0.0.1, and let it set X-Forwarded-For")
        raise SettingError(PREFIX + "TRUSTED_PROXIES", sentence)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Reader:
    """Typed look-ups that name the setting they fail on."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, default: str | None) -> str:
        value = self._environ.get(PREFIX + name, default)
        if value is None:
            raise SettingError(PREFIX + name, _("is missing; set it in the environment"))
        return value

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in allowed:
            raise SettingError(PREFIX + name, _("must be one of: %s") % ", ".join(allowed))
        return value

    def flag(self, name: str, default: bool) -> bool:
        return self.choice(name, "1" if default else "0", ("0", "1")) == "1"

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            raise SettingError(
                PREFIX + name, _("must be a whole number from %(low)d to %(high)d") % {"low": low, "high": high}
            )
        return int(value)

    def url(self, name: str, default: str | None) -> str:
        return self.url_value(name, self.text(name, default))

    def url_value(self, name: str, value: str) -> str:
        if not is_web_address(value.strip()):
            raise SettingError(PREFIX + name, _("must be an address that begins with http:// or https://"))
        return value.strip().rstrip("/")

    def networks(self, name: str) -> tuple[Network, ...]:
        """`10.0.0.0/8,::1`: addresses and networks."""
        try:
            return tuple(ip_network(part.strip()) for part in self.text(name, "").split(",") if part.strip())
        except ValueError:
            raise SettingError(
                PREFIX + name, _("must be addresses or networks, such as 127.0.0.1,10.0.0.0/8")
            ) from None

    def chain_tokens(self, name: str) -> tuple[TokenSetting, ...]:
        """`EUR=native:400000000000,USD=0x...:10000`: currency, token, its units for one minor unit."""
        found = []
        for part in self.text(name, "").replace(" ", "").split(","):
            if not part:
                continue
            match = _TOKEN.fullmatch(part)
            units = int(match["units"]) if match else 0
            if match is None or not 0 < units <= MAX_UNITS_PER_MINOR:
                raise SettingError(PREFIX + name, _("must look like EUR=native:400000000000,USD=0x<address>:10000"))
            address = match["address"]
            found.append(TokenSetting(match["currency"], bytes.fromhex(address) if address else bytes(20), units))
        return tuple(found)

    def smtp_url(self, name: str) -> str:
        value = self.text(name, "")
        if value and not (value.startswith(("smtp://", "smtps://")) and urlsplit(value).hostname):
            raise SettingError(PREFIX + name, _("must be an address that begins with smtp:// or smtps://"))
        return value

    def database_url(self, name: str, default: str | None) -> str:
        value = self.text(name, default)
        if not value.startswith(("sqlite:///", "postgresql://")):
            raise SettingError(PREFIX + name, _("must begin with sqlite:/// or postgresql://"))
        return value
