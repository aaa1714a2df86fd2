"""Wires the command line's wallet: folder, passphrase, lock, records, clocks. `wallet.cli.network` adds the network."""

import fcntl
import getpass
import os
import stat
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wallet import vault
from wallet.cli.output import Output
from wallet.errors import WalletError
from wallet.files import cannot_write, private_folder
from wallet.i18n import gettext as _
from wallet.keys import seed_of, store_key
from wallet.opened import OpenedWallet
from wallet.store import Store

if TYPE_CHECKING:
    from wallet.api import Api

VAULT_NAME = "vault.json"
STORE_NAME = "wallet.sqlite"
LOCK_NAME = "lock"
LOCK_SECONDS = 5.0  # how long a command waits for another one of the same wallet
MAX_SECRET_FILE_BYTES = 4096


def home_of(args: Namespace) -> Path:
    """The wallet's folder: --home, else truestub-wallet in the user's data folder (XDG)."""
    if args.home:
        return Path(args.home).expanduser().absolute()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser().absolute() / "truestub-wallet"


@contextmanager
def opened(args: Namespace, out: Output, api: "Callable[[str], Api] | None" = None) -> Iterator[OpenedWallet]:
    """The unlocked wallet, closed afterwards. Without `api` it has no network."""
    home = home_of(args)
    vault.describe(home / VAULT_NAME)  # say that there is no wallet before asking for its passphrase
    seed = seed_of(vault.unlock(home / VAULT_NAME, passphrase(args)))
    store = Store(home / STORE_NAME, store_key(seed))
    try:
        yield OpenedWallet(
            seed=seed,
            store=store,
            api=api or _no_network,
            now=time.time,
            monotonic=time.monotonic,
            sleep=time.sleep,
            tell=out.tell,
        )
    finally:
        store.close()


@contextmanager
def alone(args: Namespace) -> Iterator[None]:
    """No other command changes this wallet meanwhile. The system ends the lock with the process, however it ends."""
    path = private_folder(home_of(args)) / LOCK_NAME
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def passphrase(args: Namespace) -> str:
    """From --passphrase-file, --passphrase-fd, or the terminal; never from the arguments, which others can see."""
    if args.passphrase_file is not None:
        return secret_file(Path(args.passphrase_file))
    if args.passphrase_fd is not None:
        return secret_fd(args.passphrase_fd)
    return ask_secret(_("Passphrase: "))


def new_passphrase(file: str | None) -> str:
    """A passphrase to be: from a file, or typed twice."""
    if file is not None:
        return secret_file(Path(file))
    first = ask_secret(_("New passphrase: "))
    vault.check_passphrase(first)
    if ask_secret(_("Once more: ")) != first:
        raise WalletError("bad_passphrase", _("The two were not the same. Try again."))
    return first


def ask_secret(prompt: str) -> str:
    """Typed without being shown; `passphrase_needed` where there is no terminal."""
    if not sys.stdin.isatty():
        raise WalletError(
            "passphrase_needed", _("There is no terminal to ask for the passphrase. Give it with --passphrase-file.")
        )
    return getpass.getpass(prompt, stream=sys.stderr)


def secret_file(path: Path) -> str:
    """The first line of a file that only its owner reads, or of a pipe."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise WalletError(
                    "passphrase_file_open", _("Others may read %(path)s. Run: chmod 600 %(path)s") % {"path": path}
                )
            return _first_line(file.read(MAX_SECRET_FILE_BYTES))
    except OSError as error:
        raise WalletError(
            "cannot_read",
            _("%(path)s can't be read (%(reason)s).") % {"path": path, "reason": error.strerror or str(error)},
        ) from None


def secret_fd(handle: int) -> str:
    """The first line of an open file descriptor."""
    try:
        with os.fdopen(handle, "rb", closefd=False) as file:
            return _first_line(file.read(MAX_SECRET_FILE_BYTES))
    except OSError as error:
        raise WalletError(
            "cannot_read",
            _("%(path)s can't be read (%(reason)s).") % {"path": handle, "reason": error.strerror or str(error)},
        ) from None


def _first_line(data: bytes) -> str:
    try:
        return data.decode().split("\n", 1)[0].removesuffix("\r")
    except UnicodeDecodeError:
        raise WalletError("bad_passphrase", _("A passphrase must be text in UTF-8.")) from None


def _lock(handle: int) -> None:
    ends = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > ends:
                raise WalletError(
                    "wallet_busy", _("Another program is using this wallet. Wait for it, or close it.")
                ) from None
            time.sleep(0.05)
        else:
            return


def _no_network(_server: str) -> "Api":
    raise AssertionError("this command does without the network")
