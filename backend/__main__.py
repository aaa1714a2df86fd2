"""`truestub`, also as `python -m backend`. Ctrl-C ends it without a stack trace, even while it loads."""

import signal
import sys


def main() -> int:
    """The command's exit code."""
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a shell's `&` may have switched it off
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # loading takes a second, in which nothing is begun
    from backend import cli  # noqa: PLC0415 - slow, so only once Ctrl-C is quiet

    code = cli.main(interruptible=ours)
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # all is done, but for the interpreter's own clearing up
    return code


if __name__ == "__main__":
    sys.exit(main())
