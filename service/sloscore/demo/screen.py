"""The demo's live table: redrawn in place on a terminal, a line now and then elsewhere."""

import shutil
import sys
from collections.abc import Sequence
from typing import Final

import click

from sloscore.tables import SLI_HEADER, columns, number, sli_row
from sloscore.wire import Report

_BAR: Final = 30
_SECONDS_BETWEEN_LINES: Final = 5.0
_COLORS: Final = {"hard_fail": "red", "violated": "yellow", "no_data": "bright_black"}


class Screen:
    """Shows reports as they change."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._drawn = 0
        self._next_line = 0.0

    def show(self, reports: Sequence[Report], elapsed: float, total: float) -> None:
        """The reports after ``elapsed`` of ``total`` seconds of load."""
        if self._live:
            self._redraw([progress(elapsed, total), "", *table(reports)])
        elif elapsed >= self._next_line:
            self._next_line = elapsed + _SECONDS_BETWEEN_LINES
            states = "   ".join(_short(report) for report in reports)
            click.echo(f"  {elapsed:3.0f} s   {states}")

    def end(self) -> None:
        """Leave what is drawn where it is."""
        self._drawn = 0

    def _redraw(self, lines: Sequence[str]) -> None:
        width, height = shutil.get_terminal_size()
        shown = lines[: height - 1]
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        # Each line is cut to the width, or the way back up would be longer than counted.
        body = "".join(f"\x1b[2K{_cut(line, width)}\n" for line in shown)
        sys.stdout.write(up + body)
        sys.stdout.flush()
        self._drawn = len(shown)


def progress(elapsed: float, total: float) -> str:
    """A bar with the seconds of load so far."""
    done = min(_BAR, round(_BAR * elapsed / total))
    return f"Load [{'#' * done}{'.' * (_BAR - done)}] {min(elapsed, total):.0f} of {total:.0f} s"


def table(reports: Sequence[Report]) -> list[str]:
    """All SLIs of all reports, with the score of each report under them."""
    rows: list[tuple[str, ...]] = [("EXPERIMENT", *SLI_HEADER)]
    marks = [""]
    for report in reports:
        for position, sli in enumerate(report.slis):
            name = report.experiment or "" if position == 0 else ""
            rows.append((name, *sli_row(sli)))
            marks.append(sli.verdict)
    lines = [_styled(line, mark) for line, mark in zip(columns(rows), marks, strict=True)]
    shown = lines[:1]
    position = 1
    for report in reports:
        shown += lines[position : position + len(report.slis)]
        position += len(report.slis)
        shown += [click.style(f"  {summary(report)}", bold=True), ""]
    return shown


def summary(report: Report) -> str:
    """The score of a report in one line."""
    requests = report.window.requests if report.window else 0
    parts = f"{number(report.base_score)} s x (1 + {number(report.penalty)})"
    text = f"{requests:.0f} requests   score {number(report.score)}"
    if report.score is None:
        return f"{text}   {report.status}"
    outcome = "hard SLO violation" if report.slo_violation else f"= {parts}"
    return f"{text}   {outcome}   {report.status}"


def _short(report: Report) -> str:
    requests = report.window.requests if report.window else 0
    score = "no data" if report.score is None else f"score {number(report.score)}"
    penalty = "" if report.penalty is None else f" penalty {number(report.penalty)}"
    return f"{report.experiment}: {requests:.0f} requests{penalty} {score}"


def _styled(line: str, verdict: str) -> str:
    color = _COLORS.get(verdict)
    return click.style(line, fg=color) if color else line


def _cut(line: str, width: int) -> str:
    plain = click.unstyle(line)
    return line if len(plain) < width else plain[: width - 1]
