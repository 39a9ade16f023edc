"""A task that is put together of limits, one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sloscore.core.sli import parse_percentile
from sloscore.interop.fields import Fields
from sloscore.interop.metrics import SIGNALS, Known
from sloscore.spec.document import Place
from sloscore.spec.loader import validate
from sloscore.spec.model import TaskSpec
from sloscore.spec.preset import families_for


@dataclass(slots=True)
class Draft:
    """The limits that were found so far; thresholds are in seconds."""

    name: str = ""
    descriptions: list[str] = field(default_factory=list)
    limits: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)
    selected: list[tuple[Fields, Place, Mapping[str, str]]] = field(default_factory=list)

    def add(self, signal: str, percentile: str, limit: Mapping[str, Any]) -> None:
        """One more limit; raises ValueError where there is one of the same percentile."""
        limits = self.limits.setdefault(signal, {})
        if percentile in limits:
            raise ValueError(
                f"is a second limit on {signal} {percentile}; the first, "
                f"{limits[percentile]['threshold']:.12g} s, was taken"
            )
        limits[percentile] = dict(limit)

    def reads(self, known: Known) -> None:
        """A limit is on this histogram; raises ValueError where its signal has another one."""
        before = self.known.setdefault(known.signal, known)
        if before.metric.names != known.metric.names and not before.servers & known.servers:
            raise ValueError(
                f"measures {known.metric.names[0]} as {known.signal}, which other objectives "
                f"measure by {before.metric.names[0]}"
            )

    def select(self, fields: Fields, place: Place, labels: Mapping[str, str]) -> None:
        """A limit's query, which stands at this place, selects series by these labels."""
        self.selected.append((fields, place, labels))

    def leave_out_labels(self) -> None:
        """Leave out the labels that not all queries have, so that they are not in the selector."""
        for fields, place, labels in self.selected:
            more = [f"{name}={value!a}" for name, value in labels.items() - self._shared()]
            if more:
                fields.refuse(
                    place,
                    f"not all queries select {', '.join(sorted(more))}; one selector is for all",
                )

    def _shared(self) -> set[tuple[str, str]]:
        every = [set(labels.items()) for _, _, labels in self.selected]
        return set.intersection(*every) if every else set()

    def document(self) -> dict[str, Any]:
        """The task as plain data; raises SpecError where it holds no limit, or is no valid task."""
        limits = {one: self._sorted(one) for one in SIGNALS if self.limits.get(one)}
        task: dict[str, Any] = {"task_name": self.name}
        if self.descriptions:
            task["description"] = "; ".join(dict.fromkeys(self.descriptions))
        if selector := dict(sorted(self._shared())):
            task["selector"] = selector
        task |= self._server()
        if limits:
            task["optimization"] = {"objective": f"minimize_{next(iter(limits))}"}
            task["slo"] = limits
        families_for(validate(TaskSpec, task, "the task"))
        return task

    def _sorted(self, signal: str) -> dict[str, Any]:
        return dict(sorted(self.limits[signal].items(), key=lambda one: parse_percentile(one[0])))

    def _server(self) -> dict[str, Any]:
        named = [known.servers for known in self.known.values() if known.servers]
        common = frozenset.intersection(*named) if named else frozenset()
        if len(named) == len(self.known) and len(common) == 1:
            return {"server": next(iter(common))}
        if len(named) == len(self.known) and common:
            # Presets that share these names; the service tells them apart by what is exposed.
            return {}
        metrics = {
            signal: known.metric.model_dump(include={"names", "unit"}, mode="json")
            for signal, known in self.known.items()
        }
        return {"metrics": metrics} if metrics else {}
