"""The one place where the application's parts are put together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from backend import killpoints
from backend.clock import Clock, system_clock
from backend.credentials.signer_client import SignerClient
from backend.db.engine import make_engine
from backend.desk.cash import Cash
from backend.ops.glance import Glance
from backend.sales.installation import installation_secret
from backend.sales.payments.chain import ChainPayments
from backend.sales.payments.free import Free
from backend.sales.payments.interface import Provider
from backend.sales.payments.sandbox import Sandbox
from backend.sales.till.till import ANSWER_SECONDS, Tills
from backend.settings import Settings
from backend.waiting_room.desk import Desk

if TYPE_CHECKING:
    from backend.sales.payments.stripe.provider import Stripe

TILL_BUSY_SECONDS = 4.0  # for SQLite's lock; then the batch is run again, and what holds it for long is told
TILL_PATIENCE_SECONDS = ANSWER_SECONDS + 10  # nobody waits for the answer any more
BANK_FILE = "sandbox-bank.sqlite"  # the sandbox's own book, in the data folder


@dataclass(frozen=True, slots=True)
class Services:
    """What requests, commands and workers use. `close` when done."""

    settings: Settings
    engine: Engine
    clock: Clock
    secret: bytes  # the installation's; order secrets and notification keys are derived from it
    signer: SignerClient
    tills: Tills
    rooms: Desk
    payments: Mapping[str, Provider]
    bank: Sandbox | None  # the sandbox provider's other side, where there is one
    stripe: "Stripe | None" = None
    chain: ChainPayments | None = None  # where buyers may pay on the chain
    glance: Glance = field(default_factory=Glance)  # for those who must answer while the database hangs

    @property
    def shop_payments(self) -> Mapping[str, Provider]:
        """The ways to pay that buyers have by themselves."""
        return {name: provider for name, provider in self.payments.items() if name != Cash.name}

    def close(self) -> None:
        """Let go of threads and connections."""
        if self.bank is not None:
            self.bank.close()
        if self.stripe is not None:
            self.stripe.close()
        self.tills.close()
        self.engine.dispose()


def wire(settings: Settings, clock: Clock = system_clock, patience_seconds: float | None = None) -> Services:
    """Build everything from the settings; touches the disk, but no network.

    `patience_seconds`: how long anything but the till waits for PostgreSQL's answer; none: as long as it takes.
    """
    killpoints.arm(settings.kill_at)
    engine = open_database(settings, patience_seconds)
    secret = installation_secret(settings.keys_dir)
    free = Free()
    bank = Sandbox(settings.data_dir / BANK_FILE, secret) if settings.sandbox_payments else None
    cash = Cash(secret)
    stripe = _stripe(settings)
    chain = ChainPayments(engine, secret) if settings.chain_tokens else None
    return Services(
        settings=settings,
        engine=engine,
        clock=clock,
        secret=secret,
        signer=SignerClient(settings.signer_socket),
        tills=Tills(_till_engine(settings)),
        payments={one.name: one for one in (free, cash, bank, stripe, chain) if one is not None},
        rooms=Desk(engine, secret),
        bank=bank,
        stripe=stripe,
        chain=chain,
    )


def _stripe(settings: Settings) -> "Stripe | None":
    if not settings.stripe_key:
        return None
    from backend.sales.payments.stripe.provider import Stripe  # noqa: PLC0415 - its SDK takes long to load

    secret, api = settings.stripe_webhook_secret, settings.stripe_api_url
    return Stripe(settings.stripe_key, secret, api, settings.stripe_pages)


def _till_engine(settings: Settings) -> Engine:
    return make_engine(
        settings.database_url,
        ask_first=False,
        by_key=True,
        patience_seconds=TILL_PATIENCE_SECONDS,
        busy_seconds=TILL_BUSY_SECONDS,
    )


def open_database(settings: Settings, patience_seconds: float | None = None) -> Engine:
    """The engine; makes the folder of an embedded database."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return make_engine(settings.database_url, patience_seconds=patience_seconds)
