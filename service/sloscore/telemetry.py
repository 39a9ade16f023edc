"""What the service counts of itself."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from sloscore import __version__, conventions
from sloscore.log_writer import dropped_lines

_EVALUATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class QueryTally:
    """Queries of a kind: how many there were, and how many failed by kind of error."""

    kind: str
    queries: int
    errors: Mapping[str, int]
    mean_seconds: float | None


class _LogCollector(Collector):
    def collect(self) -> Iterable[CounterMetricFamily]:
        """See prometheus_client."""
        yield CounterMetricFamily(
            conventions.LOG_LINES_DROPPED,
            "Lines of the log that were dropped, as nobody took them from stderr in time.",
            value=dropped_lines(),
        )


class Telemetry:
    """Metrics of the service in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.evaluation_duration = Histogram(
            conventions.EVALUATION_DURATION,
            "Seconds that one evaluation of a group of experiments took.",
            buckets=_EVALUATION_BUCKETS,
            registry=self.registry,
        )
        self.evaluation_errors = Counter(
            conventions.EVALUATION_ERRORS,
            "Evaluations that failed, by the kind of error.",
            ["kind"],
            registry=self.registry,
        )
        self.last_evaluation = Gauge(
            conventions.EVALUATION_LAST_TIMESTAMP,
            "Unix time of the last round of evaluations that began.",
            registry=self.registry,
        )
        self.rounds = Counter(
            conventions.EVALUATION_ROUNDS,
            "Rounds of evaluations that began.",
            registry=self.registry,
        )
        self.late = Counter(
            conventions.EVALUATION_LATE,
            "Experiments that a round passed over, as their last evaluation had not ended.",
            registry=self.registry,
        )
        self.series_expired = Counter(
            conventions.EXPERIMENT_SERIES_EXPIRED,
            "Finished experiments whose series left after the retention.",
            registry=self.registry,
        )
        self._queries = Counter(
            conventions.SOURCE_QUERIES,
            "Queries to the metric source, by kind.",
            ["kind"],
            registry=self.registry,
        )
        self._query_errors = Counter(
            conventions.SOURCE_QUERY_ERRORS,
            "Queries to the metric source that failed, by kind and error.",
            ["kind", "error"],
            registry=self.registry,
        )
        self._query_duration = Histogram(
            conventions.SOURCE_QUERY_DURATION,
            "Seconds that a query to the metric source took, decoding included.",
            ["kind"],
            buckets=_EVALUATION_BUCKETS,
            registry=self.registry,
        )
        self._clock_offset = Gauge(
            conventions.SOURCE_CLOCK_OFFSET,
            "Seconds that Prometheus' clock is ahead of the service's; NaN while it does not tell.",
            registry=self.registry,
        )
        self.on_clock_offset(None)
        self._reload_successful = Gauge(
            conventions.CONFIG_RELOAD_SUCCESSFUL,
            "1 where the settings were read well the last time, 0 where those before stay.",
            registry=self.registry,
        )
        self._reload_success = Gauge(
            conventions.CONFIG_RELOAD_TIMESTAMP,
            "Unix time at which settings were last read well: at the start, or by a reload.",
            registry=self.registry,
        )
        self.registry.register(_LogCollector())
        build = Gauge(
            conventions.BUILD_INFO,
            "Always 1; the label is the version of the service.",
            ["version"],
            registry=self.registry,
        )
        build.labels(__version__).set(1)

    def on_query(self, kind: str, seconds: float, error: str | None) -> None:
        """Count one query to the source."""
        self._queries.labels(kind).inc()
        self._query_duration.labels(kind).observe(seconds)
        if error is not None:
            self._query_errors.labels(kind, error).inc()

    def on_clock_offset(self, seconds: float | None) -> None:
        """Keep how far Prometheus' clock is ahead of the service's, None where it did not tell."""
        self._clock_offset.set(math.nan if seconds is None else seconds)

    @property
    def clock_offset(self) -> float | None:
        """Seconds that Prometheus' clock is ahead of the service's, as far as it told last."""
        (family,) = self._clock_offset.collect()
        seconds = family.samples[0].value
        return None if math.isnan(seconds) else seconds

    def on_reload(self, at: float | None) -> None:
        """Note that settings were read well at this Unix time, or None that they were not."""
        self._reload_successful.set(at is not None)
        if at is not None:
            self._reload_success.set(at)

    @property
    def last_evaluation_time(self) -> float | None:
        """Unix time at which the last round of evaluations began, None before the first."""
        (family,) = self.last_evaluation.collect()
        return family.samples[0].value or None

    def failed_evaluations(self) -> dict[str, int]:
        """Evaluations that failed, by the kind of error."""
        return {labels["kind"]: int(n) for labels, n in _totals(self.evaluation_errors)}

    def query_tallies(self) -> tuple[QueryTally, ...]:
        """What was asked of the metric sources, by kind."""
        errors: dict[str, dict[str, int]] = {}
        for labels, count in _totals(self._query_errors):
            errors.setdefault(labels["kind"], {})[labels["error"]] = int(count)
        (durations,) = self._query_duration.collect()
        seconds = {
            sample.labels["kind"]: sample.value
            for sample in durations.samples
            if sample.name.endswith("_sum")
        }
        return tuple(
            QueryTally(kind, int(n), errors.get(kind, {}), seconds[kind] / n if n else None)
            for kind, n in sorted((labels["kind"], n) for labels, n in _totals(self._queries))
        )


def _totals(counter: Counter) -> list[tuple[Mapping[str, str], float]]:
    (family,) = counter.collect()
    return [(one.labels, one.value) for one in family.samples if one.name.endswith("_total")]
