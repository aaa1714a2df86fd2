"""An unlocked wallet: its seed, its records, and the world outside, handed in by `wallet.cli.session`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from wallet.records import Platform
from wallet.store import Store

if TYPE_CHECKING:  # showing a ticket needs no HTTP client, and must not wait for its import
    from wallet.api import Api


@dataclass(frozen=True, slots=True)
class OpenedWallet:
    """`api` gives the client of a server; `tell` says a sentence to the person who waits."""

    seed: bytes
    store: Store
    api: "Callable[[str], Api]"
    now: Callable[[], float]  # Unix seconds, this device's clock
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    tell: Callable[[str], None]
    new_id: Callable[[], UUID] = uuid4


def server_time(wallet: OpenedWallet, api: "Api") -> int:
    """Unix seconds by the server's clock, as far as its answers told; a phone's clock may be wrong."""
    return int(wallet.now() - (api.transport.clock_ahead or 0))


def remember_platform(wallet: OpenedWallet, api: "Api", platform_id: bytes) -> Platform:
    """The platform's record, with what was learned of the clocks; pins the server it was first met at."""
    known = wallet.store.get(Platform, platform_id.hex()) or Platform(platform_id=platform_id, server=api.server)
    ahead = api.transport.clock_ahead
    if ahead is not None:
        known = known.model_copy(update={"clock_ahead_seconds": round(ahead), "spoken_at": int(wallet.now())})
        wallet.store.put(known)
    return known
