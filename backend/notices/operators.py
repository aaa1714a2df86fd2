"""The services over which operators are told, as apprise knows them."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backend.errors import SettingError
from backend.i18n import gettext as _

if TYPE_CHECKING:
    from apprise import Apprise

SETTING = "TRUESTUB_ALERT_URLS"


def require_services(urls: Sequence[str]) -> None:
    """Raises `SettingError` for an address that apprise can't make out."""
    if urls:
        services_of(urls)


def services_of(urls: Sequence[str]) -> "Apprise":
    """All of them; raises `SettingError` for one that apprise can't make out. Asks none of them."""
    from apprise import Apprise  # noqa: PLC0415 - takes half a second, which few processes need

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines repeat addresses, and those hold secrets
    services = Apprise()
    for number, url in enumerate(urls, 1):
        service = Apprise.instantiate(url, suppress_exceptions=True)
        if service is None:
            sentence = _("must be services as apprise writes them; it does not know or can't read number %d")
            raise SettingError(SETTING, sentence % number)
        services.add(service)
    return services
