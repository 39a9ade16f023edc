"""Under which names, labels and buckets vLLM and SGLang expose what they measure.

Names and buckets are those of vLLM 0.33.0 (vllm/v1/metrics/loggers.py and buckets.py) and SGLang
0.5.23 (srt/observability/metrics_collector.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_VLLM_REQUEST = (
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
    480.0, 960.0, 1920.0, 7680.0,
)  # fmt: skip
_VLLM_TTFT = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
)  # fmt: skip
_VLLM_TOKEN = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
    40.0, 80.0,
)  # fmt: skip
_SGLANG_LATENCY = (
    0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0, 200.0,
    400.0, 600.0, 1200.0, 1800.0, 2400.0,
)  # fmt: skip
_SGLANG_TTFT = _SGLANG_LATENCY[:18]
_SGLANG_TOKEN = (
    0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.06, 0.08, 0.1, 0.2,
    0.4, 0.6, 0.8, 1.0, 2.0, 4.0, 6.0, 8.0,
)  # fmt: skip
_SGLANG_QUEUE = (
    0.0, 0.001, 0.005, 0.01, 0.05, 0.1, 0.2, 0.5, *(float(s) for s in (1, 2, 3, 4, 5, 10, 15)),
    *(float(s) for s in range(20, 101, 10)), *(float(s) for s in range(200, 1001, 100)),
    1200.0, 1400.0, 1600.0, 1800.0, 2000.0, 2500.0, 3000.0,
)  # fmt: skip


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
    ``_created`` are; ``negotiates`` that OpenMetrics is answered where it is asked for.
    """

    name: str
    labels: Mapping[str, str]
    histograms: Mapping[str, Metric]
    counters: Mapping[str, Metric]
    gauges: Mapping[str, Metric]
    born_with_zeros: bool
    is_single_process: bool
    negotiates: bool


_STREAMING: Final = {"is_streaming": "true"}
_RANKS: Final = {"tp_rank": "0", "pp_rank": "0", "moe_ep_rank": "0"}

_VLLM = Kind(
    name="vllm",
    labels={"engine": "0"},
    histograms={
        "latency": Metric("vllm:e2e_request_latency_seconds", {}, _VLLM_REQUEST),
        "ttft": Metric("vllm:time_to_first_token_seconds", {}, _VLLM_TTFT),
        "tpot": Metric("vllm:request_time_per_output_token_seconds", {}, _VLLM_TOKEN),
        "itl": Metric("vllm:inter_token_latency_seconds", {}, _VLLM_TOKEN),
        "queue": Metric("vllm:request_queue_time_seconds", {}, _VLLM_REQUEST),
    },
    counters={
        "requests": Metric("vllm:request_success", {"finished_reason": "stop"}),
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
)
_SGLANG = Kind(
    name="sglang",
    labels={"engine_type": "unified"},
    histograms={
        "latency": Metric("sglang:e2e_request_latency_seconds", _STREAMING, _SGLANG_LATENCY),
        "ttft": Metric("sglang:time_to_first_token_seconds", _STREAMING, _SGLANG_TTFT),
        "tpot": Metric("sglang:request_time_per_output_token_seconds", _STREAMING, _SGLANG_TOKEN),
        "itl": Metric("sglang:inter_token_latency_seconds", {}, _SGLANG_TOKEN),
        "queue": Metric("sglang:queue_time_seconds", _RANKS, _SGLANG_QUEUE),
    },
    counters={
        "requests": Metric("sglang:num_requests", _STREAMING),
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
)
KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in (_VLLM, _SGLANG)}
