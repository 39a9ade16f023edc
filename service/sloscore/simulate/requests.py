"""A model of the requests that an inference server with continuous batching serves.

It is made up to behave like such a server, not fitted to one: requests queue first come, first
served for a place in the batch and for KV cache; a prompt is prefilled at a rate of tokens that
grows with tensor parallelism; each output token takes a step that grows with the batch. Lengths of
outputs have a heavy tail, so latencies do. Times are seconds since the load began.
"""

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sloscore.errors import SloscoreError

_GPU_GIB: Final = 24.0
_WEIGHTS_GIB: Final = 16.0
_KV_GIB_PER_TOKEN: Final = 0.125 / 1024
_PREFILL_TOKENS_PER_SECOND: Final = 8000.0
_PREFILL_OVERHEAD: Final = 0.02
_STEP_SECONDS: Final = 0.010
_STEP_SECONDS_PER_RUNNING: Final = 0.0002
# More devices speed a server up by less than their number.
_PARALLEL_EXPONENT: Final = 0.8
_NOISE: Final = 0.1
_MAX_OUTPUT_TOKENS: Final = 4096


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a tuner turns: the batch size, the devices, and the share of their memory to use."""

    max_num_seqs: int = 64
    tensor_parallel: int = 1
    memory_share: float = 0.9

    @property
    def speedup(self) -> float:
        """How much faster than one device it computes."""
        return float(self.tensor_parallel**_PARALLEL_EXPONENT)

    @property
    def kv_tokens(self) -> int:
        """Tokens of prompts and outputs that fit into memory beside the model's weights.

        Raises SloscoreError where none do, as a server would not start either.
        """
        free = self.memory_share * _GPU_GIB * self.tensor_parallel - _WEIGHTS_GIB
        if free <= 0:
            raise SloscoreError(
                f"a memory share of {self.memory_share:g} on {self.tensor_parallel} devices of "
                f"{_GPU_GIB:g} GiB does not hold the {_WEIGHTS_GIB:g} GiB of weights: give more"
            )
        return int(free / _KV_GIB_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Workload:
    """Poisson arrivals at ``rate`` requests/s; means of tokens in prompts and outputs.

    ``tail`` is the sigma of the lognormal distribution of output lengths: the larger, the heavier.
    ``error_share`` of the requests fail, somewhere on the way to their last token.
    """

    rate: float = 4.0
    prompt_tokens: float = 512.0
    output_tokens: float = 128.0
    tail: float = 0.7
    error_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request from its arrival to its last token, in seconds since the load began.

    One that ``failed`` has as many output tokens as it got before.
    """

    number: int
    prompt_tokens: int
    output_tokens: int
    arrival: float
    admitted: float
    first_token: float
    finished: float
    failed: bool = False

    @property
    def queue(self) -> float:
        """Time in the queue."""
        return self.admitted - self.arrival

    @property
    def latency(self) -> float:
        """End-to-end latency."""
        return self.finished - self.arrival

    @property
    def ttft(self) -> float:
        """Time to first token."""
        return self.first_token - self.arrival

    @property
    def tpot(self) -> float:
        """Time per output token after the first; 0 for a single token, as servers count it."""
        following = self.output_tokens - 1
        return (self.finished - self.first_token) / following if following else 0.0


def serve_requests(deployment: Deployment, workload: Workload, seed: int) -> Iterator[Request]:
    """All requests that arrive, in order of arrival and without end; the same for the same seed.

    Raises SloscoreError for a deployment that cannot serve this workload at all.
    """
    kv_tokens = deployment.kv_tokens
    chance = random.Random(seed)  # noqa: S311  a simulation, no secret
    # Apart from the other, so that failures change nothing of what arrives.
    failures = random.Random(seed)  # noqa: S311  as above
    running: list[tuple[float, int]] = []
    kv_used = 0
    arrival = admitted = 0.0
    number = 0
    while True:
        arrival += chance.expovariate(workload.rate)
        prompt = _length(chance, workload.prompt_tokens, 0.3)
        output = min(_length(chance, workload.output_tokens, workload.tail), _MAX_OUTPUT_TOKENS)
        failed = failures.random() < workload.error_share
        if failed:
            output = max(1, round(output * failures.random()))
        need = prompt + output
        if need > kv_tokens:
            raise SloscoreError(
                f"a request of {need} tokens does not fit into the {kv_tokens} tokens of KV cache: "
                "give a larger memory share or more devices"
            )
        admitted = max(arrival, admitted)
        while running and (
            running[0][0] <= admitted
            or len(running) >= deployment.max_num_seqs
            or kv_used + need > kv_tokens
        ):
            finish, held = heapq.heappop(running)
            admitted = max(admitted, finish)
            kv_used -= held
        noise = chance.lognormvariate(0.0, _NOISE)
        rate = _PREFILL_TOKENS_PER_SECOND * deployment.speedup
        first_token = admitted + (_PREFILL_OVERHEAD + prompt / rate) * noise
        step = (_STEP_SECONDS + _STEP_SECONDS_PER_RUNNING * len(running)) / deployment.speedup
        finished = first_token + (output - 1) * step * noise
        heapq.heappush(running, (finished, need))
        kv_used += need
        yield Request(number, prompt, output, arrival, admitted, first_token, finished, failed)
        number += 1


def _length(chance: random.Random, mean: float, sigma: float) -> int:
    """A lognormal length in tokens with this mean, at least 1."""
    return max(1, round(chance.lognormvariate(math.log(mean) - sigma**2 / 2, sigma)))
