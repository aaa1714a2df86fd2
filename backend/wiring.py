"""The one place where the application's parts are put together."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from backend import killpoints
from backend.clock import Clock, system_clock
from backend.db.engine import make_engine
from backend.sales.installation import installation_secret
from backend.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """What requests, commands and workers use. `close` when done."""

    settings: Settings
    engine: Engine
    clock: Clock
    secret: bytes  # the installation's; order secrets and notification keys are derived from it
    signer: Any

    def close(self) -> None:
        """Let go of threads and connections."""
        self.engine.dispose()


def wire(settings: Settings, clock: Clock = system_clock) -> Services:
    """Build everything from the settings; touches the disk, but no network."""
    killpoints.arm(settings.kill_at)
    return Services(
        settings=settings,
        engine=open_database(settings),
        clock=clock,
        secret=installation_secret(settings.keys_dir),
        signer=_signer(settings),
    )


def open_database(settings: Settings) -> Engine:
    """The engine; makes the folder of an embedded database."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return make_engine(settings.database_url)


def _signer(settings: Settings) -> Any:  # noqa: ANN401 - replaced by its type when the room has landed
    try:
        module = importlib.import_module("backend.credentials.signer_client")
    except ModuleNotFoundError:
        return None
    return module.SignerClient(settings.signer_socket)
