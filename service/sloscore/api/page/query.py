"""What the address of the list of experiments asks for, and the addresses that it links to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from sloscore.api.body import refuse_unknown
from sloscore.errors import SpecError
from sloscore.experiments.listing import Order, Selection
from sloscore.experiments.model import LIVE, State

PAGE_SIZE: Final = 50
NEWEST_FIRST: Final = "-start"
_STATES: Final[Mapping[str, frozenset[State]]] = {
    "live": LIVE,
    **{str(state): frozenset({state}) for state in State},
}
_SORTS: Final = tuple(sign + order for order in Order for sign in ("", "-"))
_PARAMETERS: Final = frozenset({"task", "state", "sort", "page"})


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of the address; ``sort`` has a minus before it where it is descending."""

    task: str | None = None
    state: str | None = None
    sort: str = NEWEST_FIRST
    page: int = 1

    @property
    def order(self) -> Order:
        """What is sorted by."""
        return Order(self.sort.removeprefix("-"))

    @property
    def descending(self) -> bool:
        """Whether the largest or the newest comes first."""
        return self.sort.startswith("-")

    @property
    def selection(self) -> Selection:
        """The same for the store."""
        states = None if self.state is None else _STATES[self.state]
        return Selection(self.task, states, self.order, self.descending)

    def sorted_by(self, order: str) -> "Query":
        """The list sorted by a column, the other way round where it is sorted by that already."""
        turned = order if self.descending else f"-{order}"
        first = NEWEST_FIRST if order == Order.START else order
        return replace(self, sort=turned if self.order == order else first, page=1)

    def of_task(self, task: str) -> "Query":
        """The list of one task."""
        return replace(self, task=task, page=1)

    def at(self, page: int) -> "Query":
        """The same list at another page."""
        return replace(self, page=page)

    @property
    def link(self) -> str:
        """The query of the address, without what is as usual."""
        usual = Query()
        given = {name: getattr(self, name) for name in ("task", "state", "sort", "page")}
        return "?" + urlencode({k: v for k, v in given.items() if v != getattr(usual, k)})


def read_query(request: web.Request) -> Query:
    """The query of a request; raises SpecError for parameters that are unknown or do not fit."""
    refuse_unknown(request, _PARAMETERS)
    # A form sends its empty fields, too.
    given = {name: value for name, value in request.query.items() if value}
    state, sort = given.get("state"), given.get("sort", NEWEST_FIRST)
    page = given.get("page", "1")
    mistakes = []
    if state is not None and state not in _STATES:
        mistakes.append(f"state: {state!a} is not one of {', '.join(_STATES)}")
    if sort not in _SORTS:
        mistakes.append(f"sort: {sort!a} is not one of {', '.join(_SORTS)}")
    if not (page.isascii() and page.isdigit() and len(page) <= 9 and int(page) >= 1):
        mistakes.append(f"page: {page!a} must be a whole number from 1 on")
    if mistakes:
        raise SpecError(mistakes)
    return Query(given.get("task"), state, sort, int(page))


def states() -> tuple[str, ...]:
    """What ``state`` may be."""
    return tuple(_STATES)
