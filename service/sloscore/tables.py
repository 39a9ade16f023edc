"""Reports as tables for a terminal, in plain text."""

from collections.abc import Sequence

import click

from sloscore.wire import PhaseReport, Report, SliReport

_COLORS = {"FAILED": "red", "NO_DATA": "yellow", "SUCCESS": "green"}
SLI_HEADER = ("SLI", "VALUE", "INTERVAL", "THRESHOLD", "PENALTY", "VERDICT")
PHASE_HEADER = ("PHASE", "REQUESTS", "BASE", "PENALTY", "SCORE", "STATUS")


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def number(value: float | None, digits: int = 4) -> str:
    """A number for people; what is not known is a dash."""
    return "-" if value is None else f"{value:.{digits}g}"


def sli_row(sli: SliReport) -> tuple[str, ...]:
    """One line of the table of SLIs."""
    if sli.lower is None or sli.upper is None:
        interval = "-"
    elif sli.lower == sli.upper:
        interval = "exact"
    else:
        interval = f"{number(sli.lower)} .. {number(sli.upper)}"
    verdict = sli.verdict if sli.certain or sli.verdict == "no_data" else f"{sli.verdict} (?)"
    return (
        sli.sli,
        number(sli.value),
        interval,
        number(sli.threshold),
        number(sli.penalty),
        verdict,
    )


def phase_row(phase: PhaseReport) -> tuple[str, ...]:
    """One line of the table of phases."""
    return (
        phase.name if phase.counts else f"{phase.name} (ignored)",
        "-" if phase.window is None else f"{phase.window.requests:.0f}",
        number(phase.base_score),
        number(phase.penalty),
        number(phase.score),
        phase.status if phase.certain or phase.score is None else f"{phase.status} (?)",
    )


def print_report(report: Report) -> None:
    """A report on stdout: the SLIs and phases, then the score and its reason."""
    if report.slis:
        for line in columns([SLI_HEADER, *(sli_row(sli) for sli in report.slis)]):
            click.echo(line)
        click.echo()
    if report.phases:
        for line in columns([PHASE_HEADER, *(phase_row(phase) for phase in report.phases)]):
            click.echo(line)
        click.echo()
    if report.window is not None:
        click.echo(
            f"Requests {report.window.requests:.0f}, instances {report.window.instances}, "
            f"resets {report.window.resets}"
        )
    click.echo(f"Base     {number(report.base_score, 6)} ({report.objective})")
    click.echo(f"Penalty  {number(report.penalty, 6)}")
    status = click.style(report.status, fg=_COLORS.get(report.status), bold=True)
    click.echo(f"Score    {number(report.score, 6)}  {status}")
    for sentence in (report.scored_explanation, report.reason):
        if sentence:
            click.echo(sentence)
    for sentence in remarks(report):
        click.echo(sentence)


def remarks(report: Report) -> list[str]:
    """Sentences on the SLIs that are violated, and on those whose verdict is not certain."""
    return [
        sli.explanation
        for sli in report.slis
        if sli.verdict in {"violated", "hard_fail"} or (sli.uncertainty and not sli.certain)
    ]
