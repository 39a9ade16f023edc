"""The fields of somebody else's document: which were carried over, and which were left out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sloscore.errors import SpecError
from sloscore.spec.document import Document, Place, dotted


@dataclass(frozen=True, order=True, slots=True)
class LeftOut:
    """A field that a task has no place for, and why."""

    file: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.reason}"


@dataclass(slots=True)
class Fields:
    """Takes fields out of a document; those that nobody took are left out.

    ``reasons`` says why, by the name of a field.
    """

    document: Document
    reasons: Mapping[str, str]
    _taken: set[Place] = field(default_factory=set)
    _refused: list[LeftOut] = field(default_factory=list)

    def at(self, *place: str | int) -> object:
        """What the document has at a place, which stays untaken; None where it has nothing."""
        found = self.document.data
        for part in place:
            if isinstance(found, dict) and isinstance(part, str):
                found = found.get(part)
            elif isinstance(found, list) and isinstance(part, int) and part < len(found):
                found = found[part]
            else:
                return None
        return found

    def take(self, *place: str | int) -> object:
        """What the document has at a place, as carried over."""
        self._taken.add(place)
        return self.at(*place)

    def text(self, *place: str | int) -> str | None:
        """A text that is carried over; raises SpecError where the place has anything else."""
        found = self.take(*place)
        if found is None or isinstance(found, str):
            return found
        raise self.error(place, "must be text")

    def number(self, *place: str | int) -> float | None:
        """A number that is carried over; raises SpecError where the place has anything else."""
        found = self.take(*place)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise self.error(place, "must be a number")
        return float(found)

    def places(self, *place: str | int) -> list[Place]:
        """The places of the items of a list; none where there is no list.

        Raises SpecError where the place has anything but a list.
        """
        found = self.at(*place)
        if found is None:
            return []
        if not isinstance(found, list):
            raise self.error(place, "must be a list")
        return [(*place, index) for index in range(len(found))]

    def refuse(self, place: Place, reason: str) -> None:
        """Leave a field out, with all that is in it."""
        self._taken.add(place)
        line = self.document.line_of(place)
        self._refused.append(LeftOut(self.document.name, line, dotted(place) or "document", reason))

    def error(self, place: Place, problem: str) -> SpecError:
        """The error of a field that cannot be read: ``slo.yaml:12: objectives[0].sli: ...``."""
        where = f"{self.document.name}:{self.document.line_of(place)}"
        return SpecError([": ".join(filter(None, (where, dotted(place), problem)))])

    def left_out(self) -> list[LeftOut]:
        """All that was refused, and all that nobody took, by line."""
        for place in list(self._untaken((), self.document.data)):
            names = [part for part in place if isinstance(part, str)]
            self.refuse(place, self.reasons.get(names[-1], "a task has nothing of the kind"))
        return sorted(self._refused)

    def _untaken(self, place: Place, data: object) -> Iterator[Place]:
        if place in self._taken or data is None:
            return
        if place and not any(one[: len(place)] == place for one in self._taken):
            yield place
            return
        if isinstance(data, dict):
            for key, value in data.items():
                yield from self._untaken((*place, key), value)
        elif isinstance(data, list):
            for index, value in enumerate(data):
                yield from self._untaken((*place, index), value)
