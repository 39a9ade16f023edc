"""Random sequences of operations: the store answers and holds what a plain dictionary would."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from sloscore.errors import ConflictError, ExperimentNotFoundError, LimitError, SloscoreError
from sloscore.experiments.model import (
    FINAL,
    LIVE,
    OUTCOMES,
    Experiment,
    Phase,
    State,
    new_experiment,
)
from sloscore.experiments.phases import end_phase, ended_phases, start_phase
from sloscore.experiments.store import ExperimentStore

Answer: TypeAlias = Experiment | tuple[Experiment, bool] | type[SloscoreError]
START = 1.0


@dataclass
class Dictionary:
    """The rules of the store without a database: refusals are returned as their type."""

    held: dict[str, Experiment] = field(default_factory=dict)

    def register(self, experiment: Experiment, max_live: int | None) -> Answer:
        known = self.held.get(experiment.id)
        if known is not None:
            return (known, False) if known.body == experiment.body else ConflictError
        if max_live is not None and len(self.in_states(LIVE)) >= max_live:
            return LimitError
        self.held[experiment.id] = experiment
        return experiment, True

    def finish(self, name: str, end: float | None, now: float, base: float | None) -> Answer:
        known = self.held.get(name)
        if known is None:
            return ExperimentNotFoundError
        if known.state is State.RUNNING:
            end = now if end is None else end
            phases = ended_phases(known.phases, end)
            return self._put(
                known, now, state=State.SETTLING, end=end, base_score=base, phases=phases
            )
        contradicts = end not in {None, known.end} or base not in {None, known.base_score}
        return ConflictError if known.state is State.ABORTED or contradicts else known

    def mark(
        self, name: str, change: Callable[[Experiment], tuple[Phase, ...]], now: float
    ) -> Answer:
        known = self.held.get(name)
        if known is None:
            return ExperimentNotFoundError
        try:
            phases = change(known)
        except ConflictError:
            return ConflictError
        return known if phases == known.phases else self._put(known, now, phases=phases)

    def abort(self, name: str, reason: str, now: float) -> Answer:
        known = self.held.get(name)
        if known is None:
            return ExperimentNotFoundError
        if known.state in LIVE:
            return self._put(known, now, state=State.ABORTED, reason=reason)
        return known if known.state is State.ABORTED else ConflictError

    def finalize(
        self, name: str, state: State, report: dict[str, object], score: float | None, now: float
    ) -> Answer:
        known = self.held.get(name)
        if known is None:
            return ExperimentNotFoundError
        if known.state in FINAL:
            return known
        return self._put(known, now, state=state, report=report, score=score)

    def in_states(self, states: frozenset[State]) -> set[str]:
        return {name for name, known in self.held.items() if known.state in states}

    def _put(self, known: Experiment, now: float, **changes: object) -> Experiment:
        changed: Experiment = replace(known, updated_at=now, **changes)  # type: ignore[arg-type]
        self.held[known.id] = changed
        return changed


Operation: TypeAlias = tuple[str, tuple[object, ...]]
Step: TypeAlias = Callable[[float], Operation]


def registering(name: str, variant: int, max_live: int | None) -> Step:
    def at(now: float) -> Operation:
        body: dict[str, object] = {"variant": variant}
        experiment = new_experiment(
            name, "chat", body, "minimize_ttft", "minimize", start=START, now=now
        )
        return "register", (experiment, max_live)

    return at


def finishing(name: str, end: float | None, base: float | None) -> Step:
    return lambda now: ("finish", (name, end, now, base))


def marking(name: str, phase: str | None) -> Step:
    def at(now: float) -> Operation:
        def change(experiment: Experiment) -> tuple[Phase, ...]:
            if phase is None:
                return end_phase(experiment, None, None, now)
            return start_phase(experiment, phase, None, now, 64)

        return "mark", (name, change, now)

    return at


def aborting(name: str, reason: str) -> Step:
    return lambda now: ("abort", (name, reason, now))


def finalizing(name: str, state: State, score: float | None) -> Step:
    return lambda now: ("finalize", (name, state, {"at": now}, score, now))


# Few names, so that most steps meet an experiment in some state.
names = st.sampled_from(["a", "ü/☃"])
scores = st.sampled_from([None, 0.1, math.inf, -math.inf])
steps = st.one_of(
    st.builds(registering, names, st.integers(0, 1), st.sampled_from([None, 1, 2])),
    st.builds(finishing, names, st.sampled_from([None, 5.0, 6.0]), st.sampled_from([None, 0.1, 2])),
    st.builds(marking, names, st.sampled_from(["c=1", "c=8", None])),
    st.builds(aborting, names, st.sampled_from(["too slow", "not needed"])),
    st.builds(finalizing, names, st.sampled_from(sorted(OUTCOMES)), scores),
)


async def answer(store: ExperimentStore, operation: Operation) -> Answer:
    name, arguments = operation
    try:
        given_back: Answer = await getattr(store, name)(*arguments)
    except SloscoreError as error:
        return type(error)
    return given_back


async def follow(path: Path, sequence: list[Step]) -> None:
    plain = Dictionary()
    store = await ExperimentStore.open(path)
    try:
        for number, step in enumerate(sequence):
            operation = step(10.0 + number)
            expected = getattr(plain, operation[0])(*operation[1])
            assert await answer(store, operation) == expected, operation
    finally:
        await store.close()
    store = await ExperimentStore.open(path)
    try:
        held = {experiment.id: experiment for experiment in (await store.list()).items}
        assert held == plain.held
        assert {experiment.id for experiment in await store.live()} == plain.in_states(LIVE)
        assert await store.count_by_state() == {
            state: len(plain.in_states(frozenset({state}))) for state in State
        }
    finally:
        await store.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=20, max_size=40))
def test_the_store_answers_and_holds_what_a_dictionary_would(sequence: list[Step]) -> None:
    with TemporaryDirectory() as directory:
        asyncio.run(follow(Path(directory) / "experiments.db", sequence))
