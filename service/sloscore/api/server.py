"""A running service: its parts put together, started and stopped in order."""

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable

import structlog
from aiohttp import web

from sloscore.api.app import make_app
from sloscore.api.auth import Access
from sloscore.api.context import Context, Signals
from sloscore.api.listener import accept, listen
from sloscore.api.notify import notify
from sloscore.api.reload import prometheus_of, reload
from sloscore.api.tls import ServerTls
from sloscore.errors import SpecError
from sloscore.evaluation.board import Board
from sloscore.evaluation.collector import calm_collector
from sloscore.evaluation.loop import Evaluator
from sloscore.evaluation.replica import Replica
from sloscore.experiments.lock import held
from sloscore.experiments.store import ExperimentStore
from sloscore.settings import Settings
from sloscore.sources.routed import RoutedSource
from sloscore.sources.scrape import ScrapeSource
from sloscore.telemetry import Telemetry

_log = structlog.get_logger()
# SIGTERM must end the process within 5 s. Open requests get this long of it, and aiohttp waits as
# long again once it has told them to stop.
_SHUTDOWN_SECONDS = 1.0
# Threads decode answers and write /metrics; the event loop waits this long for each of them that is
# busy, at each of the many turns that a request takes.
_SWITCH_SECONDS = 0.0005


@contextlib.asynccontextmanager
async def running_service(
    settings: Settings,
    clock: Callable[[], float] = time.time,
    read_again: Callable[[Settings], Settings] = lambda current: current,
    signals: Signals | None = None,
) -> AsyncIterator[str]:
    """A service that answers HTTP; yields its URL.

    A reload takes the settings that ``read_again`` gives for the current ones. Of the ``signals``
    ``hangup`` asks for one, and ``stop`` makes the service unready.

    Raises SettingsError for an address that cannot be bound or a token or certificate that cannot
    be used, and StoreError for a file that is no store of this release, or that another service
    uses.
    """
    access = Access(settings)
    tls = ServerTls(settings.listen.tls).context if settings.listen.tls else None
    listener = listen(settings.listen, settings.limits)
    telemetry = Telemetry()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(listener.close)
        if settings.store.url is None:
            stack.enter_context(held(settings.store.path))
        store = await ExperimentStore.open(settings.store.place, settings.store.read_password)
        stack.push_async_callback(store.close)
        source = RoutedSource(
            prometheus_of(settings, telemetry, clock),
            ScrapeSource(settings.scrape, telemetry.on_query, clock),
        )
        stack.push_async_callback(source.close)
        board = Board(settings.evaluation.retention, settings.limits.max_exported_experiments)
        evaluator = Evaluator(store, source, board, settings.evaluation, telemetry, clock)
        replica = None
        if settings.store.url is not None:
            replica = Replica(store.leases, evaluator, board, telemetry)
            await replica.join()
            stack.push_async_callback(replica.leave)
        await evaluator.resume()
        for work in (evaluator, replica):
            if work is not None:
                stack.push_async_callback(_cancel, asyncio.create_task(work.run()))
        context = Context(
            settings,
            read_again,
            signals or Signals(),
            access,
            store,
            source,
            board,
            evaluator,
            telemetry,
            clock,
            clock(),
            replica,
        )
        telemetry.on_reload(context.started_at)
        reload_task = asyncio.create_task(_reload_at(context))
        stack.push_async_callback(_cancel, reload_task)
        runner = web.AppRunner(
            make_app(context, access),
            shutdown_timeout=_SHUTDOWN_SECONDS,
            handler_cancellation=True,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.callback(board.wake_all)
        stack.callback((await accept(listener, runner, settings.limits, tls)).close)
        yield _url(listener, "https" if tls else "http")


async def serve(
    settings: Settings,
    read_again: Callable[[Settings], Settings],
    announce: Callable[[str], None],
) -> None:
    """Run a service until SIGTERM or SIGINT; ``announce`` is told its URL.

    SIGHUP makes it take the settings that ``read_again`` gives for the current ones. With a
    ``listen.drain`` it goes on for that long while it says that it is not ready, or until the
    second signal.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    calm_collector()
    signals, hurry = Signals(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, signals.hangup.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _set_next, signals.stop, hurry)
    async with running_service(settings, read_again=read_again, signals=signals) as url:
        prometheus = settings.prometheus
        _log.info("listening", url=url, prometheus=prometheus.url if prometheus.enabled else None)
        announce(url)
        notify("READY=1")
        await signals.stop.wait()
        notify("STOPPING=1")
        _log.info("stopping", drain=settings.listen.drain)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(hurry.wait(), settings.listen.drain)


def _set_next(*events: asyncio.Event) -> None:
    next((event for event in events if not event.is_set()), events[-1]).set()


async def _reload_at(context: Context) -> None:
    hangup = context.signals.hangup
    while await hangup.wait():
        hangup.clear()
        # The log has it.
        with contextlib.suppress(SpecError):
            await reload(context)


def _url(listener: socket.socket, scheme: str) -> str:
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
