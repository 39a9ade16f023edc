"""The configurations that the demo's tuner tries, and the task that it tries them for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Candidate:
    """One configuration: the experiment's name, the server's kind and flags, and what is expected."""

    name: str
    kind: str
    flags: tuple[str, ...]
    story: str


_LOAD: Final = ("--rate", "8", "--output-tokens", "160", "--seed", "3")

CANDIDATES: Final = (
    Candidate(
        "healthy-tp2",
        "vllm",
        ("--max-num-seqs", "256", "--tensor-parallel", "2", *_LOAD),
        "vLLM on two devices: fast enough",
    ),
    Candidate(
        "soft-little-memory",
        "vllm",
        ("--max-num-seqs", "256", "--memory-share", "0.75", *_LOAD),
        "vLLM with too little KV cache: requests queue at times",
    ),
    Candidate(
        "hard-small-batch",
        "sglang",
        ("--max-num-seqs", "12", *_LOAD),
        "SGLang with a batch too small for the load: the queue grows",
    ),
)

TASK: Final[Mapping[str, Any]] = {
    "task_name": "demo",
    "optimization": {"strategy": "grid_search", "objective": "minimize_latency"},
    "slo": {
        "latency": {
            "p50": {"threshold": 2.0, "weight": 1.0, "hard_fail": False},
            "p90": {"threshold": 5.0, "weight": 2.0, "hard_fail": True, "fail_ratio": 0.2},
            "p99": {"threshold": 10.0, "weight": 3.0, "hard_fail": True, "fail_ratio": 0.5},
        },
        "ttft": {"threshold": 1.0, "weight": 2.0, "hard_fail": False},
        "steepness": 0.1,
    },
}
