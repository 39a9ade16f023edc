"""A load command, and the experiment of the service that lasts as long as it does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sloscore.cli.command import Interrupted, Signals, run_command
from sloscore.cli.exits import CANNOT_RUN, code_of_command
from sloscore.cli.options import say
from sloscore.cli.service import ServiceAccess
from sloscore.client import Experiment
from sloscore.client.errors import Conflict, ExperimentAborted, SLOClientError

# Whoever waits for the first answer sees at once that there is no service; a load that took an
# hour is worth half a minute of a service that starts again.
_IMPATIENT: Final = 3
_PATIENT: Final = 10
_ASIDE_SECONDS: Final = 5.0


class LoadFailed(Exception):  # noqa: N818  named for what happened
    """The load command failed; ``code`` is what `sloscore run` exits with for it."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Load:
    """The command that makes the load; ``grace`` is in seconds, as ``run_command`` has it."""

    words: Sequence[str]
    signals: Signals
    grace: float

    def run(
        self,
        advises_stop: Callable[[], bool] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Run it to its end; raises LoadFailed, and Interrupted once a signal has ended it."""
        name = self.words[0]
        try:
            ended = run_command(self.words, self.signals, self.grace, advises_stop, env)
        except OSError as error:
            raise LoadFailed(f"{name} cannot be run: {error.strerror}", CANNOT_RUN) from error
        if ended.code != 0 and not ended.stopped:
            how = f"exited with {ended.code}" if ended.code > 0 else f"died of signal {-ended.code}"
            raise LoadFailed(f"{name} {how}", code_of_command(ended.code))


@dataclass(frozen=True, slots=True)
class ServedRun:
    """One experiment of a service; ``body`` is what registers it."""

    service: ServiceAccess
    body: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The experiment's own."""
        return str(self.body["id"])

    def score(self, load: Load, timeout: float, *, stop_early: bool) -> dict[str, Any]:
        """The final report, for which it waits ``timeout`` seconds after the load.

        Raises SLOClientError, and what the load raises once the experiment is aborted.
        """
        is_registered = False
        try:
            with load.signals.held():
                self._experiment(_IMPATIENT).start()
                is_registered = True
            say(f"experiment {self.id} runs")
            adviser = _Adviser(self._experiment(0, _ASIDE_SECONDS)) if stop_early else None
            load.run(adviser, {"SLOSCORE_URL": self.service.url, "SLOSCORE_EXPERIMENT": self.id})
        except BaseException as error:
            if is_registered:
                self._abort(error)
            raise
        return self._final(load.signals, timeout)

    def _final(self, signals: Signals, timeout: float) -> dict[str, Any]:
        experiment = self._experiment(_PATIENT)
        try:
            with signals.held():
                self._finish(experiment)
            say("the load has ended; waiting for the score")
            return dict(experiment.result(timeout).raw)
        except Interrupted:
            say(f"the score will be at {self.service.url}/api/v1/experiments/{self.id}/score")
            raise

    def _finish(self, experiment: Experiment) -> None:
        try:
            experiment.finish()
        except Conflict as error:
            raise ExperimentAborted(f"{error}; somebody else has ended it") from error
        except SLOClientError:
            say(f"the load has ended, but experiment {self.id} could not be finished")
            raise

    def _experiment(self, retries: int, timeout: float = 10.0) -> Experiment:
        client = self.service.client(retries=retries, timeout=timeout)
        return client.experiment(**self.body)

    def _abort(self, error: BaseException) -> None:
        reason = f"interrupted by {error}" if isinstance(error, Interrupted) else str(error)
        try:
            self._experiment(1, _ASIDE_SECONDS).abort(reason)
        except SLOClientError as failure:
            say(f"experiment {self.id} could not be aborted: {failure}")
        else:
            say(f"experiment {self.id} is aborted")


class _Adviser:
    """Asks whether to stop; a service that is away for a while is told of once."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._is_away = False

    def __call__(self) -> bool:
        try:
            decision = self._experiment.score().decision
        except SLOClientError as error:
            if not self._is_away:
                say(f"cannot ask whether to stop: {error}")
            self._is_away = True
            return False
        self._is_away = False
        if decision.action == "stop":
            say(f"ending the load: {decision.reason}")
        return decision.action == "stop"
