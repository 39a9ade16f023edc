"""The scoring contract in PromQL, over the recorded value of an SLI.

Where the value is missing, all of it is; only ``no_data`` and ``hard_fail`` have a number then.
"""

from dataclasses import dataclass

from sloscore import conventions as names
from sloscore.core.penalty import ABSOLUTE_TOLERANCE, RELATIVE_TOLERANCE, Slo
from sloscore.core.sli import Sli
from sloscore.core.units import capital
from sloscore.generate.curves import value_of
from sloscore.generate.text import plain
from sloscore.promql_text import matcher


def value_name(sli: Sli, window: str) -> str:
    """The name under which the value of an SLI is recorded."""
    statistic = sli.statistic.replace(".", "_")
    unit = names.UNIT_NAMES[sli.signal.unit]
    return names.RULE_VALUE.format(
        signal=sli.signal.value, unit=unit, statistic=statistic, window=window
    )


def title_of(sli: Sli) -> str:
    """The SLI as the beginning of a sentence."""
    return capital(sli.title)


def sli_selector(name: str, task: str, sli: Sli) -> str:
    """One SLI's series of a recorded name."""
    labels = {names.LABEL_TASK: task, names.LABEL_SLI: sli.id}
    return f"{name}{{{','.join(matcher(label, [text]) for label, text in labels.items())}}}"


@dataclass(frozen=True, slots=True)
class Judged:
    """An SLI's recorded ``value`` (a selector) against its limit."""

    value: str
    slo: Slo

    @property
    def ratio(self) -> str:
        """How far the value is past the threshold, as a share of it."""
        threshold = plain(self.slo.threshold)
        if self.slo.is_minimum:
            return f"({threshold} - {self.value}) / {threshold}"
        return f"({self.value} - {threshold}) / {threshold}"

    @property
    def is_violated(self) -> str:
        """1 past the threshold, 0 at it and within it."""
        return f"({self.value} {self._past} bool {plain(self.slo.threshold)})"

    @property
    def penalty(self) -> str:
        """The weighted penalty."""
        if self.slo.weight == 0:
            return f"0 * {self.is_violated}"
        cost = value_of(self.slo.curve, self.ratio, self.is_violated)
        return f"{plain(self.slo.weight)} * {cost}"

    @property
    def fails(self) -> str:
        """1 where the violation reaches the fail ratio, 0 where it does not."""
        if not self.slo.hard_fail:
            return f"0 * {self.is_violated}"
        return f"{self.is_violated} * ({self.ratio} >= bool {plain(self._least_failing)})"

    @property
    def hard_fail(self) -> str:
        """The same, and 0 without a value."""
        return f"{self.fails}\nor\n0 * {self.no_value}"

    @property
    def no_data(self) -> str:
        """1 without a value, 0 with one: no value is below 0."""
        return f"{self.value} < bool 0\nor\n{self.no_value}"

    @property
    def no_value(self) -> str:
        """1 without a value, else nothing."""
        return f"absent({self.value})"

    @property
    def violation(self) -> str:
        """The value where it is past the threshold, else nothing."""
        return f"{self.value} {self._past} {plain(self.slo.threshold)}"

    @property
    def hard_violation(self) -> str:
        """Something where the violation reaches the fail ratio, else nothing."""
        return f"{self.ratio} >= {plain(self._least_failing)}"

    @property
    def _past(self) -> str:
        return "<" if self.slo.is_minimum else ">"

    @property
    def _least_failing(self) -> float:
        """The smallest ratio that counts as the fail ratio, but for the rounding of floats."""
        ratio = self.slo.fail_ratio
        return ratio - max(RELATIVE_TOLERANCE * ratio, ABSOLUTE_TOLERANCE)
