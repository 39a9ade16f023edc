"""Which experiment another one is compared with, looked up in the store."""

from collections.abc import Callable
from weakref import WeakValueDictionary

import structlog

from sloscore.errors import ExperimentNotFoundError, SpecError
from sloscore.evaluation.comparison import Baseline, NoBaseline, compare_window, not_compared
from sloscore.evaluation.plan import Plan, plan_of
from sloscore.experiments.counted import CountedWindow, kept_counts
from sloscore.experiments.model import LIVE, Experiment, State
from sloscore.experiments.store import ExperimentStore
from sloscore.spec.model import FIRST
from sloscore.wire import Comparison

_log = structlog.get_logger()
Found = Baseline | NoBaseline
NOT_FOUND_YET = NoBaseline(None, "the baseline was not looked up yet")


class Baselines:
    """Finds baselines; the counts of one are read once as long as some experiment holds it.

    ``is_live`` says of an experiment's id whether it still runs or settles.
    """

    def __init__(self, store: ExperimentStore, is_live: Callable[[str], bool]) -> None:
        self._store = store
        self._is_live = is_live
        self._held: WeakValueDictionary[str, Baseline] = WeakValueDictionary()

    async def find(self, plan: Plan, known: Found | None = None) -> Found | None:
        """What the plan's experiment is compared with; None where it wants no baseline.

        ``known`` is what was found before: the store is asked again only where that can have
        changed. Raises StoreError where it cannot be read.
        """
        wanted = plan.spec.baseline
        if wanted is None or plan.experiment is None:
            return None
        if known is not None and self._stands(known):
            return known
        if wanted != FIRST:
            return await self._named(plan, wanted)
        first = await self._store.first_of_task(plan.task or "")
        if first is None or first == plan.experiment:
            return NoBaseline(
                plan.experiment, "this experiment is the first of its task", plan.experiment
            )
        return await self._named(plan, first)

    async def compare(
        self, experiment: Experiment, window: CountedWindow, now: float
    ) -> Comparison | None:
        """An ended experiment next to its baseline; None where it wants none.

        Raises StoreError where the baseline cannot be read.
        """
        plan = plan_of(experiment)
        baseline = await self.find(plan)
        if baseline is None:
            return None
        has_given_base = experiment.base_score is not None
        # A bug here must not cost the score.
        try:
            return compare_window(plan, window, baseline, now=now, has_given_base=has_given_base)
        except Exception as error:  # noqa: BLE001  as above
            _log.exception("comparison broke")
            return not_compared(plan, baseline.id, f"the comparison broke: {type(error).__name__}")

    def _stands(self, known: Found) -> bool:
        """Whether what was found before cannot have changed."""
        if isinstance(known, Baseline) or known.waits_for is None:
            return True
        return self._is_live(known.waits_for)

    async def _named(self, plan: Plan, name: str) -> Found:
        if name == plan.experiment:
            return NoBaseline(name, "this experiment is the baseline itself")
        held = self._held.get(name)
        if held is not None:
            return held
        try:
            experiment = await self._store.get(name)
        except ExperimentNotFoundError:
            return NoBaseline(name, f"there is no experiment {name!r}")
        found = await self._read(experiment)
        if isinstance(found, Baseline):
            self._held[name] = found
        return found

    async def _read(self, experiment: Experiment) -> Found:
        name = experiment.id
        if experiment.state in LIVE:
            return NoBaseline(name, f"the baseline {name!r} has not ended yet", waits_for=name)
        if experiment.state is State.ABORTED:
            return NoBaseline(name, f"the baseline {name!r} was aborted")
        kept = await self._store.counts(name)
        try:
            counted, plan = kept_counts(kept), plan_of(experiment)
        except (SpecError, ValueError, KeyError):
            return NoBaseline(name, f"the baseline {name!r} was stored by another release")
        if counted is None:
            has = "has no data" if experiment.state is State.NO_DATA else "has no counts"
            return NoBaseline(name, f"the baseline {name!r} {has}: nothing is kept of its window")
        return Baseline(name, plan, counted, experiment.base_score is not None)
