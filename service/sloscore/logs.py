"""Logs to stderr, a line an event: for people, or a JSON object for machines."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import Processor

from sloscore.log_writer import LogWriter

LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


def configure_logs(log_format: LogFormat, level: LogLevel) -> None:
    """Send all logs to stderr, those of libraries too; what was configured before is replaced."""
    shared: tuple[Processor, ...] = (
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *_rendering(log_format),
        ],
    )
    root = logging.getLogger()
    own = [h for h in root.handlers if isinstance(h.formatter, structlog.stdlib.ProcessorFormatter)]
    handler = next((h for h in own if isinstance(h, LogWriter)), None) or _handler()
    handler.setFormatter(formatter)
    for known in own:
        root.removeHandler(known)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(capture=True)


def _handler() -> logging.Handler:
    # What stands in the place of stderr is no pipe that could be full.
    if sys.stderr is not sys.__stderr__ or sys.stderr is None:
        return logging.StreamHandler(sys.stderr)
    return LogWriter(sys.stderr.fileno())


def _rendering(log_format: LogFormat) -> tuple[Processor, ...]:
    # Neither shows the values of variables: there are tokens among them.
    if log_format == "json":
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return structlog.processors.ExceptionRenderer(frames), structlog.processors.JSONRenderer()
    plain = structlog.dev.plain_traceback
    return (structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain),)
