"""Proof that a gate needs no network: from here on, any use of a socket ends the process.

An audit hook (PEP 578) can't be taken out again, not even by this program.
"""

import os
import sys

EXIT_NETWORK_USED = 6


def forbid_network() -> None:
    """End the process with exit code 6, at once, if anything in it touches a socket."""
    sys.addaudithook(_end_on_socket)


def _end_on_socket(event: str, arguments: tuple[object, ...]) -> None:
    del arguments
    if event.startswith("socket."):
        os.write(2, f"network_used: this gate was told to run without a network, and {event} was called\n".encode())
        os._exit(EXIT_NETWORK_USED)
