"""Under which names, labels and buckets vLLM and SGLang expose what they measure.

Names are those of vLLM 0.33.0 (vllm/v1/metrics/loggers.py) and SGLang 0.5.23
(srt/observability/metrics_collector.py), buckets those of their presets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sloscore.spec.preset import load_preset


@dataclass(frozen=True, slots=True)
class Metric:
    """A family's name, its labels besides the kind's own, and its buckets if it has any."""

    name: str
    labels: Mapping[str, str]
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of inference server exposes the roles of its metrics.

    ``labels`` are on every series besides ``model_name``. ``born_with_zeros`` says that series are
    there before the first request; ``is_single_process`` that ``process_start_time_seconds`` and
    ``_created`` are; ``negotiates`` that OpenMetrics is answered where it is asked for. A failed
    request is one of ``errors``, and ``counts_failed_requests`` says that it is one of ``requests``
    besides; ``times_failed_tokens`` that it has a TPOT. ``times_queue_at_end`` says that the time in
    the queue is counted when a request has ended, not when it leaves the queue.
    """

    name: str
    labels: Mapping[str, str]
    histograms: Mapping[str, Metric]
    counters: Mapping[str, Metric]
    gauges: Mapping[str, Metric]
    born_with_zeros: bool
    is_single_process: bool
    negotiates: bool
    counts_failed_requests: bool
    times_failed_tokens: bool
    times_queue_at_end: bool


def _histograms(server: str, metrics: Mapping[str, Metric]) -> Mapping[str, Metric]:
    """The metrics with the buckets that the server comes with."""
    stock = {str(role): metric.buckets for role, metric in load_preset(server).metrics.items()}
    return {role: replace(metric, buckets=stock[role]) for role, metric in metrics.items()}


_STREAMING: Final = {"is_streaming": "true"}
_RANKS: Final = {"tp_rank": "0", "pp_rank": "0", "moe_ep_rank": "0"}

_VLLM = Kind(
    name="vllm",
    labels={"engine": "0"},
    histograms=_histograms(
        "vllm",
        {
            "latency": Metric("vllm:e2e_request_latency_seconds", {}),
            "ttft": Metric("vllm:time_to_first_token_seconds", {}),
            "tpot": Metric("vllm:request_time_per_output_token_seconds", {}),
            "itl": Metric("vllm:inter_token_latency_seconds", {}),
            "queue": Metric("vllm:request_queue_time_seconds", {}),
        },
    ),
    counters={
        "requests": Metric("vllm:request_success", {"finished_reason": "stop"}),
        "errors": Metric("vllm:request_success", {"finished_reason": "error"}),
        "tokens_out": Metric("vllm:generation_tokens", {}),
        "tokens_in": Metric("vllm:prompt_tokens", {}),
    },
    gauges={
        "running": Metric("vllm:num_requests_running", {}),
        "waiting": Metric("vllm:num_requests_waiting", {}),
    },
    born_with_zeros=True,
    is_single_process=True,
    negotiates=False,
    counts_failed_requests=False,
    times_failed_tokens=True,
    times_queue_at_end=True,
)
_SGLANG = Kind(
    name="sglang",
    labels={"engine_type": "unified"},
    histograms=_histograms(
        "sglang",
        {
            "latency": Metric("sglang:e2e_request_latency_seconds", _STREAMING),
            "ttft": Metric("sglang:time_to_first_token_seconds", _STREAMING),
            "tpot": Metric("sglang:request_time_per_output_token_seconds", _STREAMING),
            "itl": Metric("sglang:inter_token_latency_seconds", {}),
            "queue": Metric("sglang:queue_time_seconds", _RANKS),
        },
    ),
    counters={
        "requests": Metric("sglang:num_requests", _STREAMING),
        "errors": Metric("sglang:num_aborted_requests", {}),
        "tokens_out": Metric("sglang:generation_tokens", _STREAMING),
        "tokens_in": Metric("sglang:prompt_tokens", _STREAMING),
    },
    gauges={
        "running": Metric("sglang:num_running_reqs", _RANKS),
        "waiting": Metric("sglang:num_queue_reqs", _RANKS),
    },
    born_with_zeros=False,
    is_single_process=False,
    negotiates=True,
    counts_failed_requests=True,
    times_failed_tokens=False,
    times_queue_at_end=False,
)
KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in (_VLLM, _SGLANG)}
