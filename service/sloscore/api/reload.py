"""New settings for a running service, whose windows go on."""

from collections.abc import Callable

import structlog

from sloscore.api.configured import changes
from sloscore.api.context import Context
from sloscore.errors import SettingsError, SpecError
from sloscore.logs import configure_logs
from sloscore.settings import Settings
from sloscore.sources.clock import PunctualSource
from sloscore.sources.prometheus import PrometheusSource
from sloscore.spec.document import dotted
from sloscore.telemetry import Telemetry

_log = structlog.get_logger()


async def reload(context: Context) -> list[str]:
    """Read the settings again and apply them; returns the names of those that changed.

    Raises SpecError, and changes nothing, where they cannot be used or need a restart.
    """
    try:
        changed = await _apply(context)
    except SpecError as error:
        context.telemetry.on_reload(None)
        _log.error("settings not reloaded", errors=error.problems)
        raise
    context.telemetry.on_reload(context.clock())
    _log.info("settings reloaded", changed=changed)
    return changed


def prometheus_of(
    settings: Settings, telemetry: Telemetry, clock: Callable[[], float]
) -> PunctualSource | None:
    """The Prometheus of these settings, if there is one."""
    given = settings.prometheus
    if not given.enabled:
        return None
    source = PrometheusSource(given, telemetry.on_query)
    return PunctualSource(source, given.max_clock_skew, clock, telemetry.on_clock_offset)


async def _apply(context: Context) -> list[str]:
    before = context.settings
    after = context.read_again(before)
    try:
        # Always: a token's file may be another one by now.
        context.access.replace(after)
    except SettingsError as error:
        raise SpecError([str(error)]) from error
    context.settings = after
    if after.log != before.log:
        configure_logs(after.log.format, after.log.level)
    context.board.limit(after.evaluation.retention, after.limits.max_exported_experiments)
    if after.scrape != before.scrape:
        context.source.change_scrapes(after.scrape)
    if after.evaluation != before.evaluation:
        context.evaluator.change(after.evaluation)
    if after.prometheus != before.prometheus:
        await context.source.replace(prometheus_of(after, context.telemetry, context.clock))
    return [dotted(name) for name in changes(before, after)]
