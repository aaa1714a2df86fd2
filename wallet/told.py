"""What a platform told when it was last asked: what works there and what waits. Kept for when there is no network."""

from typing import TYPE_CHECKING

from wallet.i18n import gettext as _
from wallet.opened import OpenedWallet
from wallet.records import Told
from wallet.show import duration

if TYPE_CHECKING:  # the list of tickets needs no HTTP client
    from wallet.answers import StatusAnswer
    from wallet.api import Api


def ask(wallet: OpenedWallet, api: "Api") -> "StatusAnswer":
    """Ask, and remember what was told. Raises as the request does; what was told before stays then."""
    status = api.status()
    wallet.store.put(Told(server=api.server, banner=status.banner, told_at=int(wallet.now())))
    return status


def last_told(wallet: OpenedWallet) -> list[Told]:
    """What each platform had to tell, if it had; needs no network."""
    told = [one for one in wallet.store.all(Told) if one.banner is not None]
    return sorted(told, key=lambda one: one.server)


def sentence(told: Told, now: float) -> str:
    """That in words, with its age."""
    age = duration(max(0, int(now) - told.told_at))
    return _("%(server)s told %(age)s ago: %(what)s") % {"server": told.server, "age": age, "what": told.banner}
