"""A wallet's folder and how tests use it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from wallet import vault
from wallet.api import Api
from wallet.cli import main
from wallet.keys import seed_of, store_key
from wallet.opened import OpenedWallet
from wallet.records import Purchase, Ticket, sorted_tickets
from wallet.store import Store
from wallet.transport import Limits, Transport

PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"  # a vector of BIP-39
PASSPHRASE = "correct horse battery"
CHEAP = vault.Cost(passes=1, memory_bytes=8192)  # tests guess no passphrases
HASTY = Limits(
    connect_seconds=1, attempt_seconds=1.0, first_contact_seconds=6.0, patience_seconds=6.0, first_delay_seconds=0.02
)


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out.strip().splitlines()[-1])

    @property
    def error(self) -> str:
        """The machine's code of the error."""
        return str(self.json["error"]["code"])


class Home:
    """A wallet made from PHRASE, locked with PASSPHRASE."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str] | None = None, phrase: str = PHRASE) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700)
        self._capture = capture
        self.passphrase_file = folder.parent / f"{folder.name}.passphrase"
        self.passphrase_file.write_text(PASSPHRASE + "\n")
        self.passphrase_file.chmod(0o600)
        self.phrase = phrase
        vault.create(folder / "vault.json", phrase, PASSPHRASE, CHEAP)

    @property
    def options(self) -> list[str]:
        return ["--home", str(self.folder), "--passphrase-file", str(self.passphrase_file)]

    def run(self, *arguments: str) -> Ran:
        """A command in this process, answering in JSON."""
        assert self._capture is not None
        self._capture.readouterr()
        code = main([*self.options, "--json", *arguments])
        return Ran(code, *self._capture.readouterr())

    def say(self, *arguments: str) -> Ran:
        """A command in this process, answering a person."""
        assert self._capture is not None
        self._capture.readouterr()
        code = main([*self.options, *arguments])
        return Ran(code, *self._capture.readouterr())

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        """The installed program, in a process of its own."""
        program = Path(sys.executable).with_name("truestub-wallet")
        return subprocess.Popen(
            [str(program), *self.options, "--json", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "LANGUAGE": "en", **environ},
        )

    @contextmanager
    def opened(
        self,
        now: Callable[[], float] | None = None,
        limits: Limits = HASTY,
        monotonic: Callable[[], float] | None = None,
        sleep: Callable[[float], None] | None = None,
    ) -> Iterator[OpenedWallet]:
        """The wallet as a library sees it."""
        seed = seed_of(self.phrase)
        store = Store(self.folder / "wallet.sqlite", store_key(seed))
        clients: dict[str, Api] = {}

        def api(server: str) -> Api:
            if server not in clients:
                clients[server] = Api(Transport(server, limits, now=now or time.time))
            return clients[server]

        try:
            yield OpenedWallet(
                seed=seed,
                store=store,
                api=api,
                now=now or time.time,
                monotonic=monotonic or time.monotonic,
                sleep=sleep or time.sleep,
                tell=lambda _sentence: None,
            )
        finally:
            store.close()
            for client in clients.values():
                client.transport.close()

    def tickets(self) -> list[Ticket]:
        with self.opened() as wallet:
            return sorted_tickets(wallet.store.all(Ticket))

    def purchases(self) -> list[Purchase]:
        with self.opened() as wallet:
            return wallet.store.all(Purchase)
