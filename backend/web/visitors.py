"""Who asks, as an address, and whether that address asks too much.

What a proxy says of a visitor (`X-Forwarded-For`) counts where the proxy is named in the settings, from the right: each
trusted hop vouches for the one before it. A header that a stranger made up is read by nobody.
"""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from uuid import UUID

from flask import Flask, current_app, request

from backend.clock import Clock
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.setting_values import Network
from backend.settings import Settings
from backend.web.limits import Buckets, Rate, UnpaidHolds

BURST_SECONDS = 10  # of orders may come at once: a lecture hall behind one address, when a sale begins
HOUR_SECONDS = 3600
UNPAID_SECONDS = 600  # the usual hold; the rest of a longer one counts no more
IPV6_PREFIX = 64  # bits that name a network; the rest is the visitor's own to choose (RFC 4291, section 2.5.4)
EXTENSION = "truestub_limits"


class Limits:
    """The limits of one process, by address."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._trusted = settings.trusted_proxies
        per_second, places, looks = settings.holds_per_second, settings.places_per_hour, settings.lookups_per_hour
        self.buckets = {
            "hold": Buckets(Rate(BURST_SECONDS * per_second, per_second), clock),
            "place": Buckets(Rate(places, places / HOUR_SECONDS), clock),
            "waiter": Buckets(Rate(places, places / HOUR_SECONDS), clock),
            "lookup": Buckets(Rate(looks, looks / HOUR_SECONDS), clock),
        }
        self.unpaid = UnpaidHolds(settings.unpaid_holds, UNPAID_SECONDS, clock)

    def address(self, peer: str, forwarded: str | None) -> str:
        """The visitor's address, an IPv6 one as its /64. `peer` is connected to us; `forwarded` is what it says."""
        if not self._trusted:
            return network_of(peer)
        return network_of(visitor_behind(self._trusted, peer, forwarded or ""))

    def check(self, what: str, address: str) -> None:
        """Count one more request of its kind; refuses (`too_many_requests`) one too many."""
        wait = self.buckets[what].wait_seconds(address)
        if wait:
            sentence = _("Too many requests came from your network; wait %d seconds and try again")
            raise refuse("too_many_requests", sentence % wait, retry_after=wait)

    def check_hold(self, address: str) -> None:
        """As `check`, for an order; refuses also who holds too much unpaid."""
        self.check("hold", address)
        wait = self.unpaid.wait_seconds(address)
        if wait:
            sentence = _("Too many orders from your network wait for their payment; pay for one, or give it back")
            raise refuse("too_many_requests", sentence, retry_after=wait)


def init_limits(app: Flask, settings: Settings, clock: Clock) -> None:
    """Give the application its limits. `clock`: seconds that never jump."""
    app.extensions[EXTENSION] = Limits(settings, clock)


def limits() -> Limits:
    """Those of the application this request runs in."""
    found: Limits = current_app.extensions[EXTENSION]
    return found


def visitor() -> str:
    """The address of who sent this request."""
    return limits().address(request.remote_addr or "", request.headers.get("X-Forwarded-For"))


def slow_down(what: str) -> None:
    """Refuse this request if too many of its kind came from the visitor's address."""
    limits().check(what, visitor())


def hold_ended(order_id: UUID) -> None:
    """The order is paid, or gave its tickets back: it counts no more."""
    limits().unpaid.drop(order_id)


def visitor_behind(trusted: tuple[Network, ...], peer: str, forwarded: str) -> str:
    """The last hop that is no proxy of ours; the proxy itself where it says nothing that can be read."""
    found = peer
    hops = [one.strip() for one in forwarded.split(",")] if forwarded else []
    while hops and _is_trusted(trusted, found):
        hop = hops.pop()
        if _parsed(hop) is None:
            break
        found = hop
    return found


@lru_cache(maxsize=4096)  # the same few visitors come again and again, and parsing costs more than a limit may
def network_of(address: str) -> str:
    """What is counted as one visitor: an IPv4 address, or the /64 of an IPv6 one."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, IPV6_PREFIX), strict=False))
    return str(parsed) if parsed is not None else ""


@lru_cache(maxsize=4096)
def _is_trusted(trusted: tuple[Network, ...], address: str) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in one for one in trusted)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """Also as servers write it: with brackets, or as an IPv4 address mapped into IPv6; none for anything else."""
    try:
        parsed = ip_address(address.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, IPv6Address) else parsed
