"""Structured logs: one JSON object a line for machines, coloured lines on a terminal; never personal, never secret.

Everything goes to standard error, through the standard library's `logging`, so that libraries' lines look the same.
What slips into a message all the same (an address, a bearer secret, a password in a URL) is blotted out at the end.
"""

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_BLOTTED = "[blotted]"
_PATTERNS = (  # the first group stays
    re.compile(r"()[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),  # mail addresses
    re.compile(r"(://)[^/\s:@]*:[^/\s@]+(?=@)"),  # user and password in a URL
    re.compile(r"(?i)(bearer )[\w.~+/=-]+"),
    re.compile(r"(?i)(\"(?:secret|token|passphrase)\": \")[^\"]+"),  # fields named so, whatever is in them
)
_QUIET = ("urllib3", "web3", "asyncio", "granian.access")  # their warnings are enough


def configure_logs(process: str, stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Set up this process's logs; `process` is web, work, signer or the like. Calling it again replaces the set-up."""
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(process),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    terminal = structlog.dev.ConsoleRenderer()
    render: Processor = terminal if out.isatty() else structlog.processors.JSONRenderer(ensure_ascii=False)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _blotting(render)],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _named(process: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = process
        return event

    return add


def _blotting(render: Processor) -> Processor:
    def blotted(logger: WrappedLogger, method: str, event: EventDict) -> str:
        text = str(render(logger, method, event))
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\1{_BLOTTED}", text)
        return text

    return blotted
