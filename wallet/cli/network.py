"""The wallet with the network: one client for each server, closed afterwards."""

import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager

from wallet.api import Api, checked_server
from wallet.cli.output import Output
from wallet.cli.session import alone, opened
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.opened import OpenedWallet
from wallet.records import Platform
from wallet.show import clock_sentence, is_clock_wrong
from wallet.transport import Limits, Transport

QUICK = Limits(connect_seconds=2, attempt_seconds=4, first_contact_seconds=0, patience_seconds=4)


@contextmanager
def online(args: Namespace, out: Output, limits: Limits | None = None) -> Iterator[OpenedWallet]:
    """The unlocked wallet, with the network, and nobody else changing it meanwhile."""
    clients: dict[str, Api] = {}

    def api(server: str) -> Api:
        if server not in clients:
            limits_now = limits or Limits(patience_seconds=args.patience)
            clients[server] = Api(Transport(server, limits_now, now=time.time, sleep=time.sleep, tell=out.tell))
        return clients[server]

    with alone(args), opened(args, out, api) as wallet:
        try:
            yield wallet
        finally:
            for client in clients.values():
                client.transport.close()
                ahead = client.transport.clock_ahead
                if ahead is not None and is_clock_wrong(ahead):
                    out.warn(clock_sentence(round(ahead)))


def server_for(args: Namespace, wallet: OpenedWallet) -> str:
    """--server, or the only platform this wallet knows."""
    if args.server:
        return checked_server(args.server, allow_http=args.allow_http)
    known = {platform.server for platform in wallet.store.all(Platform)}
    if len(known) != 1:
        raise WalletError("server_needed", _("Say which platform with --server https://..."))
    return known.pop()
