"""Settings from the environment, `TRUESTUB_*`. A missing or unsafe one is named, with what to do.

Every setting is listed in `Settings`; an unknown `TRUESTUB_` variable is refused, since it is a typing error or an old
name, and a setting that silently does nothing is worse than one that stops the start.
"""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from backend.errors import SettingError
from backend.i18n import gettext as _
from backend.setting_values import PREFIX, Network, Reader, TokenSetting

DEFAULT_DATA_DIR = "truestub-data"
STRIPE_API = "https://api.stripe.com"
MAX_LIMIT = 1_000_000_000  # of what one address may do; more than anybody can
MIN_TOKEN = 16  # characters of a token that nobody guesses
MAX_TERMS = 20  # characters of a version's name


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
    get = Reader(environ)
    environment = get.choice("ENVIRONMENT", "development", ("production", "development"))
    production = environment == "production"
    data_dir = get.folder("DATA_DIR", None if production else DEFAULT_DATA_DIR)
    settings = Settings(
        data_dir=data_dir,
        database_url=get.database_url("DATABASE_URL", None if production else f"sqlite:///{data_dir}/truestub.sqlite"),
        public_url=get.origin("PUBLIC_URL", None if production else "http://127.0.0.1:8080"),
        web_host=get.host("WEB_HOST", "127.0.0.1"),
        web_port=get.whole("WEB_PORT", 8080, 0, 65535),
        trusted_proxies=get.networks("TRUSTED_PROXIES"),
        holds_per_second=get.whole("HOLDS_PER_SECOND", 60, 1, MAX_LIMIT),
        unpaid_holds=get.whole("UNPAID_HOLDS", 300, 1, MAX_LIMIT),
        places_per_hour=get.whole("PLACES_PER_HOUR", 300, 1, MAX_LIMIT),
        lookups_per_hour=get.whole("LOOKUPS_PER_HOUR", 300, 1, MAX_LIMIT),
        node_urls=get.urls("NODE_URLS"),
        chain_id=get.whole("CHAIN_ID", 31337, 1, 2**53),
        finality_blocks=get.whole("FINALITY_BLOCKS", 12, 1, 10_000),
        development_chain=get.flag("DEVELOPMENT_CHAIN", not production),
        batch_wait_seconds=get.whole("BATCH_WAIT_SECONDS", 60, 0, 3600),
        sandbox_payments=get.flag("SANDBOX_PAYMENTS", not production),
        stripe_key=get.secret("STRIPE_KEY"),
        stripe_webhook_secret=get.secret("STRIPE_WEBHOOK_SECRET"),
        stripe_api_url=get.url("STRIPE_API_URL", STRIPE_API),
        stripe_pages=get.origin("STRIPE_PAGES", "https://checkout.stripe.com"),
        chain_tokens=get.chain_tokens("CHAIN_TOKENS"),
        smtp_url=get.smtp_url("SMTP_URL"),
        mail_from=get.sender("MAIL_FROM", "truestub@localhost"),
        alert_urls=get.services("ALERT_URLS"),
        metrics_token=get.secret("METRICS_TOKEN", MIN_TOKEN),
        terms_version=get.words("TERMS_VERSION", "1", MAX_TERMS),
        keep_personal_days=get.whole("KEEP_PERSONAL_DAYS", 180, 1, 3650),
        environment=environment,
        kill_at=get.kill_at("KILL_AT"),
    )
    _check_database_folder(settings)
    _check_stripe(settings, production=production)
    if production:
        _refuse_unsafe(settings)
    return settings


def require_private(path: Path) -> None:
    """Raise `SettingError` if others than its owner may read the file or folder `path`."""
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingError(str(path), _("may be read by others; run chmod go-rwx on it"))


def _check_database_folder(settings: Settings) -> None:
    """SQLite makes its file, but no folder; `truestub init` makes the data folder."""
    if settings.database_url.startswith("sqlite:///"):
        folder = Path(settings.database_url.removeprefix("sqlite:///")).resolve().parent
        if folder != settings.data_dir and not folder.is_dir():
            raise SettingError(PREFIX + "DATABASE_URL", _("names a folder that is not there; make it first"))


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
