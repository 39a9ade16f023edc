"""Check of whether the selector matches anything, and which label is wrong where it does not."""

import difflib
from collections.abc import Sequence

from sloscore.advice.findings import Check, Finding, critical
from sloscore.advice.probe import Probe
from sloscore.advice.words import duration, listed, selector_text
from sloscore.core.samples import Labels, Target
from sloscore.sources.promql import series_names
from sloscore.spec.preset import Preset, load_preset, preset_names

PAST = 3600.0
_FEWEST_LIKENESS = 0.6


async def explain_absence(
    probe: Probe, target: Target, preset: Preset | None, at: float
) -> Finding:
    """Why no series carry the selector at Unix time ``at``; raises SourceError."""
    shown = selector_text(target.selector)
    if await probe.names(target, at, PAST):
        return critical(
            Check.SERIES,
            f"The series of {shown} ended within the last {duration(PAST)}.",
            "Nothing of this deployment is counted now.",
            "Start the server, and see whether it still is among Prometheus' targets.",
        )
    hints = await _hints(probe, target.selector, preset, at)
    return critical(
        Check.SERIES,
        f"No series carry {shown}.",
        "Nothing would be counted, and reports would say no_data.",
        " ".join(hints) or "Let Prometheus scrape the server, and select labels that it has there.",
    )


async def _hints(probe: Probe, selector: Labels, preset: Preset | None, at: float) -> list[str]:
    """What the labels are on the series that carry all others or, of none, on those of servers."""
    if len(selector) > 1:
        hints = [
            f"{label} of the series with the other labels is {listed(there)}, not {value}."
            f"{_meant(value, there)}"
            for label, value in selector
            if (there := await probe.values(label, selector, (), at))
        ]
        if hints:
            return hints
    names = _known_names(preset)
    return [
        f"{label} of {preset.server if preset else 'inference'} servers is {listed(there)}."
        f"{_meant(value, there)}"
        for label, value in selector
        if (there := await probe.values(label, (), names, at))
    ]


def _meant(value: str, there: Sequence[str]) -> str:
    close = difflib.get_close_matches(value, there, 1, _FEWEST_LIKENESS)
    return f" Is {close[0]} meant?" if close else ""


def _known_names(preset: Preset | None) -> list[str]:
    presets = [preset] if preset else [load_preset(name) for name in preset_names()]
    return [
        name
        for one in presets
        for role in ("latency", "ttft")
        if role in one.metrics
        for name in series_names(one.families([role]))
        if name.endswith("_count")
    ]
