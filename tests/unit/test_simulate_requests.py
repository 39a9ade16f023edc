"""The request model: what every simulated server must obey, and what moves its latencies."""

import statistics
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloscore.errors import SloscoreError
from sloscore.simulate.requests import Deployment, Request, Workload, serve_requests

# At 0.68 of one device little more than 2600 tokens fit beside the weights.
deployments = st.builds(
    Deployment,
    max_num_seqs=st.integers(1, 64),
    tensor_parallel=st.sampled_from([1, 2]),
    memory_share=st.sampled_from([0.68, 0.9]),
)
workloads = st.builds(
    Workload,
    rate=st.floats(0.5, 100),
    prompt_tokens=st.floats(64, 256),
    output_tokens=st.floats(1, 96),
    tail=st.floats(0, 0.5),
)
seeds = st.integers(0, 2**32)


def served(
    deployment: Deployment, workload: Workload, seed: int = 1, count: int = 150
) -> list[Request]:
    return list(islice(serve_requests(deployment, workload, seed), count))


def tokens(requests: Sequence[Request]) -> int:
    return sum(request.prompt_tokens + request.output_tokens for request in requests)


def admissions(requests: Sequence[Request]) -> Iterator[tuple[Request, list[Request]]]:
    """Each request with those admitted before it that hold a place until it is admitted or later."""
    for position, request in enumerate(requests):
        yield request, [r for r in requests[:position] if r.finished >= request.admitted]


@given(deployments, workloads, seeds)
def test_the_same_seed_makes_the_same_requests(
    deployment: Deployment, workload: Workload, seed: int
) -> None:
    assert served(deployment, workload, seed) == served(deployment, workload, seed)


@given(deployments, workloads, seeds)
def test_what_arrives_depends_on_the_seed_alone(
    deployment: Deployment, workload: Workload, seed: int
) -> None:
    def arrivals(deployment: Deployment, seed: int) -> list[tuple[float, int, int]]:
        requests = served(deployment, workload, seed)
        return [(r.arrival, r.prompt_tokens, r.output_tokens) for r in requests]

    assert arrivals(deployment, seed) == arrivals(Deployment(), seed)
    assert arrivals(deployment, seed) != arrivals(deployment, seed + 1)


@given(deployments, workloads, seeds)
def test_first_come_first_served(deployment: Deployment, workload: Workload, seed: int) -> None:
    requests = served(deployment, workload, seed)

    assert [request.number for request in requests] == list(range(len(requests)))
    for request, following in pairwise(requests):
        assert request.arrival < following.arrival
        assert request.admitted <= following.admitted
    for request in requests:
        assert request.arrival <= request.admitted < request.first_token <= request.finished
        assert min(request.prompt_tokens, request.output_tokens) >= 1


@given(deployments, workloads, seeds)
def test_neither_the_batch_nor_the_kv_cache_holds_more_than_it_can(
    deployment: Deployment, workload: Workload, seed: int
) -> None:
    for request, others in admissions(served(deployment, workload, seed)):
        running = [request, *(r for r in others if r.finished > request.admitted)]
        assert len(running) <= deployment.max_num_seqs
        assert tokens(running) <= deployment.kv_tokens


@given(deployments, workloads, seeds)
def test_a_request_waits_only_while_those_before_it_leave_no_room(
    deployment: Deployment, workload: Workload, seed: int
) -> None:
    free_from = 0.0
    for request, others in admissions(served(deployment, workload, seed)):
        if request.admitted > max(request.arrival, free_from):
            assert (
                len(others) >= deployment.max_num_seqs
                or tokens([request, *others]) > deployment.kv_tokens
            )
        free_from = request.admitted


@given(deployments, workloads, seeds)
def test_twice_the_devices_are_not_slower(
    deployment: Deployment, workload: Workload, seed: int
) -> None:
    twice = Deployment(
        deployment.max_num_seqs, 2 * deployment.tensor_parallel, deployment.memory_share
    )
    one, two = served(deployment, workload, seed), served(twice, workload, seed)

    for signal in ("latency", "ttft"):
        before = statistics.fmean(getattr(request, signal) for request in one)
        after = statistics.fmean(getattr(request, signal) for request in two)
        assert after < before


def test_arrivals_and_lengths_have_the_means_that_were_asked_for() -> None:
    workload = Workload(rate=10.0, prompt_tokens=300.0, output_tokens=100.0)
    requests = served(Deployment(), workload, count=20_000)

    assert requests[-1].arrival == pytest.approx(2000, rel=0.03)
    for length, mean in (("prompt_tokens", 300), ("output_tokens", 100)):
        found = statistics.fmean(getattr(request, length) for request in requests)
        assert found == pytest.approx(mean, rel=0.03)


def test_a_heavier_tail_makes_the_slowest_slower_at_the_same_mean_length() -> None:
    def p99(tail: float) -> float:
        requests = served(Deployment(), Workload(rate=1.0, tail=tail), count=5000)
        return sorted(request.latency for request in requests)[4950]

    assert p99(0.2) < p99(0.7) < p99(1.2)


@pytest.mark.parametrize(
    ("deployment", "better"),
    [
        (Deployment(max_num_seqs=2), Deployment(max_num_seqs=64)),
        (Deployment(memory_share=0.68), Deployment(memory_share=0.9)),
    ],
    ids=["more requests at once", "more KV cache"],
)
def test_more_room_shortens_the_queue(deployment: Deployment, better: Deployment) -> None:
    workload = Workload(rate=6.0, prompt_tokens=256.0, tail=0.2)

    def waited(deployment: Deployment) -> float:
        return sum(r.admitted - r.arrival for r in served(deployment, workload))

    assert waited(better) < waited(deployment)


def test_a_single_output_token_has_no_time_per_token_and_ends_with_the_first() -> None:
    requests = served(Deployment(), Workload(output_tokens=1.0, tail=0.0))

    assert {request.output_tokens for request in requests} == {1}
    assert {request.tpot for request in requests} == {0.0}
    assert all(request.latency == request.ttft for request in requests)


def test_latency_is_ttft_and_a_time_for_each_further_token() -> None:
    for request in served(Deployment(), Workload()):
        further = (request.output_tokens - 1) * request.tpot
        assert request.latency == pytest.approx(request.ttft + further)


@pytest.mark.parametrize(
    ("deployment", "workload", "sentence"),
    [
        (
            Deployment(memory_share=0.5),
            Workload(),
            "does not hold the 16 GiB of weights: give more",
        ),
        (
            Deployment(memory_share=2 / 3),
            Workload(),
            "a memory share of 0.666667 on 1 devices of 24 GiB does not hold",
        ),
        (
            Deployment(memory_share=0.67),
            Workload(prompt_tokens=2000),
            r"a request of \d+ tokens does not fit into the 655 tokens of KV cache: give a larger",
        ),
    ],
    ids=["weights do not fit", "weights fill all of it", "a request does not fit"],
)
def test_an_impossible_deployment_is_refused(
    deployment: Deployment, workload: Workload, sentence: str
) -> None:
    with pytest.raises(SloscoreError, match=sentence):
        served(deployment, workload)


def test_failures_leave_what_arrives_alone_and_cut_outputs_short() -> None:
    whole = served(Deployment(), Workload())
    some = served(Deployment(), Workload(error_share=0.2))

    assert [r.arrival for r in some] == [r.arrival for r in whole]
    assert not any(request.failed for request in whole)
    assert 0.1 < statistics.fmean(request.failed for request in some) < 0.3
    for one, other in zip(some, whole, strict=True):
        assert 1 <= one.output_tokens <= other.output_tokens
        assert one.failed or one.output_tokens == other.output_tokens
