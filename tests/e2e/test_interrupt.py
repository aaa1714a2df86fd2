"""Ctrl-C at any moment, the loading of modules included, is no accident: no stack trace."""

import signal
import subprocess
import sys

import pytest

TRIES = 20  # a program that is quicker than the signal is asked again
SECONDS = 60


@pytest.mark.parametrize(
    ("room", "command", "loaded"),
    [  # `loaded`: a module that is among the first of those the program itself asks for
        ("backend", ["keys", "list"], "typer"),
        ("wallet", ["tickets"], "argparse"),
        ("verifier", ["status"], "argparse"),
    ],
)
def test_ctrl_c_while_modules_load_prints_no_stack_trace(room: str, command: list[str], loaded: str) -> None:
    for _try in range(TRIES):
        ended, said = interrupted_when(loaded, [sys.executable, "-X", "importtime", "-m", room, *command])
        assert "Traceback" not in said
        assert "KeyboardInterrupt" not in said
        if ended in (-signal.SIGINT, 130):
            return
    pytest.fail("the signal never came in time")


def interrupted_when(loaded: str, program: list[str]) -> tuple[int, str]:
    """The exit code, and what it said on standard error but for the list of imports that it prints as it goes."""
    said = []
    sent = False
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            if not line.startswith("import time:"):
                said.append(line)
            elif line.rpartition("|")[2].strip() == loaded and not sent:
                process.send_signal(signal.SIGINT)
                sent = True
        return process.wait(SECONDS), "".join(said)
