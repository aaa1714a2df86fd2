"""The clock as something handed in. Only the wiring knows the real one."""

import time
from collections.abc import Callable

Clock = Callable[[], float]  # seconds since 1970, UTC

system_clock: Clock = time.time
