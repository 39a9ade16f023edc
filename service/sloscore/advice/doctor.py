"""Examines a set-up before anyone relies on it, and changes nothing."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from sloscore.advice.bounds import check_buckets, check_limits
from sloscore.advice.engine import check_engine
from sloscore.advice.facts import Facts, telling
from sloscore.advice.findings import Check, Examination, Finding, critical, ok, warning
from sloscore.advice.load import check_requests, window_start
from sloscore.advice.metrics import check_metrics, check_natives, find_preset
from sloscore.advice.presence import explain_absence
from sloscore.advice.probe import Probe
from sloscore.advice.targets import check_instances, check_restarts, check_scrapes, check_targets
from sloscore.advice.words import counted, duration, selector_text
from sloscore.core.samples import Target
from sloscore.errors import SourceError, SpecError
from sloscore.settings import PrometheusSettings
from sloscore.sources.base import Offset
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import Preset, preset_for, roles_for

DEADLINE = 60.0
# What it means that the source failed there.
_AFTER = {
    Check.CONNECTION: "Nothing can be scored while Prometheus does not answer.",
    Check.ENGINE: "Nothing else could be looked at.",
    Check.SERIES: "What is measured could not be looked at.",
    Check.READING: "What is measured could not be looked at.",
    Check.REQUESTS: "The load could not be looked at.",
}
_NAMES_SECONDS = 300.0
_SHORTEST_LOOKBACK, _LONGEST_LOOKBACK = 300.0, 1800.0
_MOST_SKEW = 1.0
_NO_SELECTOR = (
    "selector: missing: say which deployment to examine by labels of its series, in the task or "
    "with --selector instance=10.0.0.5:8000"
)


class Doctor:
    """One examination of the deployment of a task, in at most ``deadline`` seconds.

    ``window`` is how long experiments take, ``closing_wait`` how long they wait for their last scrape,
    in seconds.

    Raises SpecError for a task without a selector, or whose server is no preset.
    """

    def __init__(  # noqa: PLR0913  all but the first two are named
        self,
        task: TaskSpec,
        settings: PrometheusSettings,
        *,
        window: float,
        closing_wait: float,
        deadline: float = DEADLINE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not task.selector:
            raise SpecError([_NO_SELECTOR])
        self._named = preset_for(task)
        self._task = task
        self._url = settings.url
        self._window = window
        self._closing_wait = closing_wait
        self._deadline = deadline
        self._clock = clock
        self._probe = Probe(settings, clock)
        self._findings: list[Finding] = []
        self._names: frozenset[str] = frozenset()
        self._engine: str | None = None
        self._server = self._named.server if self._named else None

    async def examine(self) -> Examination:
        """Everything found; what goes wrong on the way is a finding, too."""
        try:
            async with asyncio.timeout(self._deadline):
                await self._examine()
        except TimeoutError:
            self._add(
                critical(
                    Check.CONNECTION,
                    f"The examination was not done after {duration(self._deadline)}.",
                    "What follows was not looked at.",
                    "See what slows Prometheus down, or select fewer series.",
                )
            )
        finally:
            await self._probe.close()
        return Examination(
            self._url,
            self._engine,
            self._server,
            self._task.selector,
            self._window,
            tuple(self._findings),
        )

    async def _examine(self) -> None:
        check = Check.CONNECTION
        try:
            offset = await self._probe.offset()
            check = Check.ENGINE
            await self._look_at_engine()
            self._add(check_clock(offset, self._window))
            at = self._clock() + offset.seconds
            check = Check.SERIES
            preset = await self._look_at_names(at)
            if preset is None:
                return
            check = Check.READING
            facts = await self._look_at_samples(preset, at)
            check = Check.REQUESTS
            await self._look_at_load(facts)
        except SourceError as error:
            self._add(critical(check, _sentence(str(error)), _AFTER[check], ""))

    async def _look_at_engine(self) -> None:
        engine = await self._probe.engine()
        self._engine = str(engine) or None
        self._add(check_engine(engine, self._url))

    async def _look_at_names(self, at: float) -> Preset | None:
        """The preset to read by; None where there is nothing to read."""
        target = Target("doctor", tuple(sorted(self._task.selector.items())), ())
        self._names = await self._probe.names(target, at, _NAMES_SECONDS)
        shown = selector_text(target.selector)
        if telling(self._names):
            self._add(ok(Check.SERIES, f"{counted(len(self._names), 'metric')} carry {shown}."))
            preset, finding = find_preset(self._task, self._names)
            self._add(finding)
            self._server = preset.server if preset else None
            return preset
        ups = await self._probe.ups(target.selector, at)
        if not ups:
            self._add(await explain_absence(self._probe, target, self._named, at))
            return None
        self._extend(check_targets(ups))
        if any(ups.values()):
            self._add(
                critical(
                    Check.SERIES,
                    f"{shown} is scraped and exposes no metrics of its own.",
                    "Nothing would be counted.",
                    "Check the scrape's metrics_path, and how the server's metrics are switched on.",
                )
            )
        return None

    async def _look_at_samples(self, preset: Preset, at: float) -> Facts:
        roles = [role for role in roles_for(self._task, preset) if role in preset.metrics]
        selector = tuple(sorted(self._task.selector.items()))
        facts = Facts(
            task=self._task,
            preset=preset,
            target=Target("doctor", selector, preset.families(roles)),
            at=at,
            window=self._window,
            closing_wait=self._closing_wait,
            lookback=min(max(self._window, _SHORTEST_LOOKBACK), _LONGEST_LOOKBACK),
            names=self._names,
        )
        if not facts.target.families:
            self._extend(check_metrics(facts))
            return facts
        try:
            samples = await self._probe.snapshot(facts.target, at)
        except SourceError as error:
            if error.kind != "decode":
                raise
            self._extend(check_metrics(facts))
            self._add(
                critical(
                    Check.READING,
                    _sentence(str(error)),
                    "Reports on this deployment would say no_data.",
                    "Mend what the server exposes, or what relabelling makes of it.",
                )
            )
            return facts
        instances = [sample.instance for sample in samples]
        scrapes = await self._probe.scrapes(instances, at, facts.lookback)
        facts = replace(facts, samples=samples, scrapes=scrapes)
        for check in _CHECKS:
            self._extend(check(facts))
        return facts

    async def _look_at_load(self, facts: Facts) -> None:
        if facts.servers:
            start = window_start(facts)
            before = await self._probe.snapshot(facts.target, start)
            self._extend(check_requests(facts, before, start))

    def _add(self, finding: Finding) -> None:
        self._findings.append(finding)

    def _extend(self, findings: Iterable[Finding]) -> None:
        self._findings.extend(findings)


def _check_up(facts: Facts) -> Iterator[Finding]:
    if facts.samples:
        yield from check_targets({sample.instance: sample.up for sample in facts.samples})
    else:
        yield critical(
            Check.TARGETS,
            f"The series of {selector_text(facts.selector)} ended a moment ago.",
            "Nothing of this deployment is counted now.",
            "Start the server, and see whether it still is among Prometheus' targets.",
        )


_CHECKS = (
    _check_up,
    check_metrics,
    check_natives,
    check_instances,
    check_restarts,
    check_scrapes,
    check_buckets,
    check_limits,
)


def check_clock(offset: Offset, window: float) -> Finding:
    """Whether the engine's clock and this machine's are near enough for such a window."""
    apart = abs(offset.seconds) - offset.error
    if apart <= _MOST_SKEW:
        return ok(Check.CLOCK, "This machine's clock and Prometheus' agree.")
    side = "ahead of" if offset.seconds > 0 else "behind"
    make = critical if apart >= window else warning
    return make(
        Check.CLOCK,
        f"Prometheus' clock is {duration(abs(offset.seconds))} {side} this machine's.",
        "Windows begin and end by this machine's clock and samples are stamped by Prometheus', so a "
        "window holds requests of another time.",
        "Keep both machines in time (NTP), and run this where the service runs.",
    )


def _sentence(text: str) -> str:
    first, _, _ = text.partition(" ")
    # A metric's name is written as it is.
    start = text[:1].upper() if first.isalpha() else text[:1]
    return f"{start}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}"
