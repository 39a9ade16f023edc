"""Rows of a backtest on the terminal: a table that grows, lines of JSON, and what it came to."""

from collections import Counter
from collections.abc import Iterator, Sequence

import click
import orjson

from sloscore.evaluation.backtest import ERROR, Row, Summary, Window, worst_sli
from sloscore.tables import number
from sloscore.wire import Report, format_time

_COLORS = {"FAILED": "red", "NO_DATA": "yellow", ERROR: "magenta", "SUCCESS": "green"}
_NUMBER_WIDTH = 9
_STATUS_WIDTH = 7
_WITHOUT: tuple[str, ...] = ("-",) * 4
_REASONS_SHOWN = 3


class Table:
    """Prints rows as they come, so widths are set by what can come: windows and ids of SLIs."""

    def __init__(self, windows: Sequence[Window], slis: Sequence[str]) -> None:
        self._label = max(len("WINDOW"), *(len(window.label) for window in windows))
        self._worst = max(len("WORST SLI"), *(len(sli) + len(" +100.0%") for sli in slis), 0)
        self._begun = False

    def show(self, row: Row) -> None:
        """Print a row, before the first one the header."""
        if not self._begun:
            header = ("WINDOW", "REQUESTS", "BASE", "PENALTY", "SCORE", "STATUS", "WORST SLI")
            click.echo(self._line((*header, "CERTAIN")))
            self._begun = True
        report = row.report
        if report is None:
            numbers, ends = _WITHOUT, ("-", f"-  {row.reason}")
        else:
            numbers, ends = _numbers(report), _ends(report)
        click.echo(self._line((row.window.label, *numbers, row.status, *ends)))

    def _line(self, cells: Sequence[str]) -> str:
        label, *numbers, status, worst, certain = cells
        padded = [label.ljust(self._label)]
        padded += [text.rjust(_NUMBER_WIDTH) for text in numbers]
        padded.append(click.style(status.ljust(_STATUS_WIDTH), fg=_COLORS.get(status)))
        return "  ".join([*padded, worst.ljust(self._worst), certain])


def print_json(row: Row) -> None:
    """Print a line: the window, and its report or why there is none."""
    report = None if row.report is None else row.report.model_dump(mode="json")
    window = row.window
    line = {
        "name": window.name,
        "start": format_time(window.start),
        "end": format_time(window.end),
        "error": None if row.failure is None else str(row.failure),
        "report": report,
    }
    click.echo(orjson.dumps(line).decode())


def summary_lines(summary: Summary, rows: Sequence[Row]) -> Iterator[str]:
    """What a backtest came to, and the reasons most often given for having no score."""
    counts = (
        f"{summary.scored} scored, {summary.failed} failed, {summary.no_data} without data, "
        f"{summary.errors} with errors"
    )
    yield ""
    yield f"Windows  {len(rows)}: {counts}"
    best = summary.best
    if best is not None and best.report is not None:
        yield f"Best     {best.window.label}, score {number(best.report.score, 6)}"
    share = summary.hard_violation_share
    if share is not None:
        yield f"Hard SLO violations in {share:.1%} of the windows with data"
    reasons = Counter(row.reason for row in rows if row.report is None or row.report.score is None)
    for reason, count in reasons.most_common(_REASONS_SHOWN):
        yield f"{count} without a score: {reason}"
    if len(reasons) > _REASONS_SHOWN:
        yield f"{len(reasons) - _REASONS_SHOWN} more reasons: see --json or --output"


def _numbers(report: Report) -> tuple[str, ...]:
    requests = "-" if report.window is None else f"{report.window.requests:.0f}"
    return requests, number(report.base_score), number(report.penalty), number(report.score)


def _ends(report: Report) -> tuple[str, str]:
    worst = worst_sli(report)
    shown = "-" if worst is None else f"{worst.sli} {worst.violation_ratio:+.1%}"
    if report.score is None:
        return shown, "-"
    return shown, "yes" if report.certain else "no"
