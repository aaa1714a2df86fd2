"""`python -m examples.demo` is `make demo`. Ctrl-C ends it without a stack trace, even while it loads."""

import signal
import sys


def main() -> int:
    """The demo's exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # loading takes a moment, in which nothing is begun
    from examples.demo import tell  # noqa: PLC0415 - slow, so only once Ctrl-C is quiet

    return tell.main()


if __name__ == "__main__":
    sys.exit(main())
