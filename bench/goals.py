"""The goals of docs/benchmarks.md, each with the cell of a table that tells whether it is met."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from document import number_in, rows_of


@dataclass(frozen=True)
class Goal:
    """A limit for a figure.

    The figure is in the ``column`` (or the first that begins so) of the row with a cell that is ``row``, a
    regular expression, and begins with ``size``; where no row has that size, of the last one, and then it is not
    judged. Without a ``limit`` the table has it, in a column "goal". ``beyond`` is a row whose figure is taken off.
    """

    figure: str
    table: str
    row: str
    column: str
    limit: float | None = None
    size: int | None = None
    is_least: bool = False
    beyond: str = ""


MET, MISSED = "met", "**missed**"
_OF_CALLS = "wall time of a tick over that of its HTTP calls, {size} experiments"
_OF_QUERIES = (
    "processor time of Prometheus: a query for each quantile over sloscore, {size} experiments"
)
_OF_LIVE = "resident memory of each of {size} live experiments"
_LIVE = r"resident, [\d,]+ live"
GOALS = (
    Goal(_OF_CALLS, "tick", "sloscore", "/ calls", 1.5, 1000),
    Goal(_OF_CALLS, "tick", "sloscore", "/ calls", 1.5, 5000),
    Goal(_OF_QUERIES, "tick", r"prometheus-api-client.*", "/ sloscore", 20, 1000, is_least=True),
    *(
        Goal(f"requests a second over bare aiohttp: {request}", "api", request, "share", 70, is_least=True)
        for request in ("score of a running experiment", "score of an ended one", "four numbers scored")
    ),
    Goal("time of a scrape of /metrics over `generate_latest`, {size} experiments", "metrics", r"[\d,]+", "share", 1.2, 10_000),
    Goal("the event loop held in a tick, {size} experiments", "event loop", r"[\d,]+", "sloscore", 20, 1000),
    Goal("{size} windows of an hour taken up after a restart", "restart", r"[\d,]+", "wall", 10, 1000),
    Goal("a final score to the last of {size} long polls", "polls", "last answer", "median", 100, 1000),
    Goal("seconds to score {size} windows of four SLIs", "arithmetic", r"[\d,]+", "seconds", 1, 100_000),
    Goal("`sloscore --help`", "starts", "`sloscore --help`", "took"),
    Goal("import of the async client beyond aiohttp", "starts", "import of the async client", "took", beyond="import of aiohttp"),
    Goal("`sloscore serve` until it is ready", "starts", "`sloscore serve`.*", "took"),
    Goal(_OF_LIVE, "memory", _LIVE, "each", size=1000),
    Goal(_OF_LIVE, "memory", _LIVE, "each", size=5000),
    Goal("resident memory of each of {size} ended experiments", "memory", r"resident, .* ended .*", "each", size=5000),
)  # fmt: skip


def goals(text: str) -> Iterator[str]:
    """The table of goals from the other tables of a document's text.

    Raises ValueError where a table, a row or a column is not there.
    """
    # In a short run two goals can be of the same row.
    lines = dict(_judged(goal, rows_of(text, goal.table)) for goal in GOALS)
    met, missed = (
        sum(line.endswith(f" {verdict} |") for line in lines.values()) for verdict in (MET, MISSED)
    )
    yield f"| {met} of {met + missed} goals met | goal | measured | |"
    yield "| --- | ---: | ---: | --- |"
    for figure, line in lines.items():
        yield f"| {figure} {line}"


def _judged(goal: Goal, table: Sequence[Sequence[str]]) -> tuple[str, str]:
    """What is measured, and the rest of its line."""
    head = table[0]
    row = _row(goal, table, goal.row)
    place = _column(goal, head, goal.column)
    cell = row[place]
    unit = re.sub(r"^[\d.,]+", "", cell)
    if goal.beyond:
        beyond = _row(goal, table, goal.beyond)[place]
        cell = f"{number_in(cell) - number_in(beyond):.2f}{unit}"
    limit = goal.limit
    if limit is None:
        limit = number_in(row[_column(goal, head, "goal")])
    bound = f"at {'least' if goal.is_least else 'most'} {limit:g}{unit}"
    size = _size(row) or _size(head)
    figure = goal.figure.format(size=f"{size:,.0f}")
    if goal.size not in {None, size}:
        return figure, f"| {bound} | {cell} | the goal is for {goal.size:,} |"
    value = number_in(cell)
    is_met = value >= limit if goal.is_least else value <= limit
    return figure, f"| {bound} | {cell} | {MET if is_met else MISSED} |"


def _row(goal: Goal, table: Sequence[Sequence[str]], cell: str) -> Sequence[str]:
    """The row of a cell, of the goal's size where there is one."""
    rows = [row for row in table[1:] if any(re.fullmatch(cell, one) for one in row)]
    if not rows:
        raise ValueError(f"table {goal.table!r} has no row {cell!r}")
    return next((row for row in rows if _size(row) == goal.size), rows[-1])


def _column(goal: Goal, head: Sequence[str], name: str) -> int:
    found = [place for place, cell in enumerate(head) if cell.startswith(name)]
    if not found:
        raise ValueError(f"table {goal.table!r} has no column {name!r}")
    return found[0]


def _size(row: Sequence[str]) -> float:
    """The number in the first cell of a row, 0 where there is none."""
    return number_in(row[0]) if re.search(r"\d", row[0]) else 0
