import dataclasses

import pytest

from sloscore.experiments.model import (
    FINAL,
    LIVE,
    OUTCOMES,
    TRANSITIONS,
    Experiment,
    State,
    digest,
    new_experiment,
    sources_of,
)


def a_new_experiment() -> Experiment:
    return new_experiment(
        "trial-1", "chat", {"id": "trial-1"}, "minimize_ttft", "minimize", 100.5, 101.0
    )


def test_a_new_experiment_runs_and_knows_nothing_of_its_end() -> None:
    experiment = a_new_experiment()
    assert experiment.state is State.RUNNING
    assert (experiment.start, experiment.created_at, experiment.updated_at) == (100.5, 101.0, 101.0)
    assert [
        experiment.end,
        experiment.base_score,
        experiment.score,
        experiment.reason,
        experiment.report,
    ] == [None] * 5
    assert experiment.body_digest == digest({"id": "trial-1"})


def test_an_experiment_cannot_be_changed_in_place() -> None:
    experiment = a_new_experiment()
    with pytest.raises(dataclasses.FrozenInstanceError):
        experiment.state = State.SCORED  # type: ignore[misc]


def test_every_state_is_either_live_or_final() -> None:
    assert set(State) == LIVE | FINAL
    assert not LIVE & FINAL
    assert FINAL - {State.ABORTED} == OUTCOMES


@pytest.mark.parametrize(
    ("state", "following"),
    [
        ("running", {"settling", "scored", "failed", "no_data", "aborted"}),
        ("settling", {"scored", "failed", "no_data", "aborted"}),
        ("scored", set()),
        ("failed", set()),
        ("no_data", set()),
        ("aborted", set()),
    ],
)
def test_a_state_leads_only_forward(state: str, following: set[str]) -> None:
    assert TRANSITIONS[State(state)] == following


def test_an_outcome_follows_any_live_state_and_settling_only_running() -> None:
    assert sources_of(State.SETTLING) == {State.RUNNING}
    assert sources_of(State.RUNNING) == set()
    for state in FINAL:
        assert sources_of(state) == LIVE


def test_a_digest_is_the_hash_of_sorted_json_without_spaces() -> None:
    # printf '{"a":[1,2.5,null],"b":{"x":"\\u00e9"}}' | sha256sum
    assert (
        digest({"b": {"x": "é"}, "a": [1, 2.5, None]})
        == "a0d3b8b01e0fa8c1af87bbba465818b661ebafd5f215d29ac3b64d1cc96e9c2b"
    )


def test_the_order_of_keys_does_not_change_a_digest() -> None:
    assert digest({"a": 1, "b": {"c": 2, "d": 3}}) == digest({"b": {"d": 3, "c": 2}, "a": 1})


@pytest.mark.parametrize(
    "other", [{"a": 2}, {"a": 1.0}, {"a": "1"}, {"a": True}, {"a": None}, {"b": 1}, {}, {"a": [1]}]
)
def test_another_value_has_another_digest(other: dict[str, object]) -> None:
    assert digest(other) != digest({"a": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_cannot_hold_has_no_digest(value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        digest({"a": value})


def test_an_object_that_json_cannot_hold_has_no_digest() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        digest({"a": object()})
