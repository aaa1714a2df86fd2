"""A signer at its socket, in a thread of the test's own process."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.credentials.signer import Signer, serve
from backend.credentials.signer_client import SignerClient
from backend.errors import Refused

START_SECONDS = 30


@contextmanager
def serving(signer: Signer, path: Path) -> Iterator[SignerClient]:
    """A client whose signer answers until the end of the block."""
    stop, client = threading.Event(), SignerClient(path)
    thread = threading.Thread(target=serve, args=(signer, path, stop))
    thread.start()
    try:
        wait_for(client)
        yield client
    finally:
        stop.set()
        thread.join()


def wait_for(client: SignerClient) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            client.ping()
        except Refused:
            assert time.monotonic() < deadline, "the signer does not answer"
            time.sleep(0.01)
        else:
            return
