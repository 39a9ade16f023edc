"""The metrics of one simulated server, in real prometheus_client families."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from sloscore.simulate.kinds import Kind, Metric
from sloscore.simulate.requests import Request

Wrapper = TypeVar("Wrapper", bound=MetricWrapperBase)

_HELP = "Simulated."


class Exposition:
    """What one process of a ``kind`` of server has measured since it began.

    ``buckets`` are bounds by role, of the roles whose bounds are not those that the kind comes with.
    """

    def __init__(
        self, kind: Kind, model_name: str, buckets: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        own = buckets or {}
        self._kind = kind
        self._model = model_name
        self._registry = CollectorRegistry()
        self._histograms = {
            role: Histogram(
                metric.name,
                _HELP,
                list(self._labels(metric)),
                buckets=own.get(role, metric.buckets),
                registry=self._registry,
            )
            for role, metric in kind.histograms.items()
        }
        self._counters = self._plain(Counter, kind.counters)
        self._gauges = self._plain(Gauge, kind.gauges)
        if kind.is_single_process:
            start = Gauge(
                "process_start_time_seconds", "Unix time of the start.", registry=self._registry
            )
            start.set(time.time())
        if kind.born_with_zeros:
            for role in kind.histograms:
                self._histogram(role)
            for role in kind.counters:
                self._counter(role)

    def set_load(self, running: int, waiting: int) -> None:
        """Set how many requests run and wait now."""
        for role, value in (("running", running), ("waiting", waiting)):
            labels = self._labels(self._kind.gauges[role])
            self._gauges[role].labels(**labels).set(value)

    def admit(self, request: Request) -> None:
        """Count the time that a request waited, when it is admitted."""
        if not self._kind.times_queue_at_end:
            self._histogram("queue").observe(request.queue)

    def give_first_token(self, request: Request) -> None:
        """Count the time to first token, when it is sent."""
        self._histogram("ttft").observe(request.ttft)

    def finish(self, request: Request) -> None:
        """Count a request that has ended, in failure or not; its tokens count here, not as they are made."""
        self._histogram("latency").observe(request.latency)
        if self._kind.times_queue_at_end:
            self._histogram("queue").observe(request.queue)
        if not request.failed or self._kind.times_failed_tokens:
            self._histogram("tpot").observe(request.tpot)
        between_tokens = self._histogram("itl")
        for _ in range(request.output_tokens - 1):
            between_tokens.observe(request.tpot)
        if request.failed:
            self._counter("errors").inc()
        if not request.failed or self._kind.counts_failed_requests:
            self._counter("requests").inc()
        self._counter("tokens_out").inc(request.output_tokens)
        self._counter("tokens_in").inc(request.prompt_tokens)

    def render(self, accept: str) -> tuple[bytes, str]:
        """The page that a scrape with this Accept header gets, and its content type."""
        registry = self._registry
        if not self._kind.is_single_process:
            registry = CollectorRegistry(auto_describe=False)
            registry.register(_WithoutCreated(self._registry))
        if not self._kind.negotiates:
            return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type

    def _labels(self, metric: Metric) -> dict[str, str]:
        return {"model_name": self._model, **self._kind.labels, **metric.labels}

    def _plain(self, wrapper: type[Wrapper], metrics: Mapping[str, Metric]) -> dict[str, Wrapper]:
        # Roles can be parts of one metric, which their labels tell apart.
        made = {
            metric.name: wrapper(
                metric.name, _HELP, list(self._labels(metric)), registry=self._registry
            )
            for metric in {metric.name: metric for metric in metrics.values()}.values()
        }
        return {role: made[metric.name] for role, metric in metrics.items()}

    def _histogram(self, role: str) -> Histogram:
        return self._histograms[role].labels(**self._labels(self._kind.histograms[role]))

    def _counter(self, role: str) -> Counter:
        return self._counters[role].labels(**self._labels(self._kind.counters[role]))


class _WithoutCreated(Collector):
    """The families of a registry without ``_created``, as in prometheus_client's multiprocess mode."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Family]:
        for family in self._registry.collect():
            family.samples = [s for s in family.samples if not s.name.endswith("_created")]
            yield family
