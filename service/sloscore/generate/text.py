"""Numbers and durations as rules have them."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sloscore.core.units import RATIO

_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


@dataclass(frozen=True, slots=True)
class Span:
    """A duration of whole milliseconds, one at least; raises ValueError for another."""

    seconds: float

    def __post_init__(self) -> None:
        milliseconds = self._milliseconds
        if milliseconds != int(milliseconds) or milliseconds < 1:
            raise ValueError(f"must be whole milliseconds, one at least, got {self.seconds:g} s")

    @property
    def text(self) -> str:
        """As Prometheus writes it, in the largest units: ``5m``, ``1m30s``."""
        rest, text = int(self._milliseconds), ""
        for unit, length in _UNITS:
            number, rest = divmod(rest, length)
            if number:
                text += f"{number}{unit}"
        return text

    @property
    def _milliseconds(self) -> Decimal:
        return Decimal(repr(self.seconds)) * 1000


def plain(number: float) -> str:
    """A number in the fewest digits that read back as the same float, without a trailing ``.0``."""
    return repr(float(number)).removesuffix(".0")


def indented(text: str) -> str:
    """All lines two columns further in."""
    return "\n".join(f"  {line}" for line in text.split("\n"))


def either(expressions: Iterable[str]) -> str:
    """What any of the expressions gives; their labels must differ."""
    return "\nor\n".join(expressions)


def limit_text(value: float, unit: str) -> str:
    """A limit with its unit, to its last digit."""
    return f"{100 * value:.12g}%" if unit == RATIO else f"{plain(value)} {unit}"
