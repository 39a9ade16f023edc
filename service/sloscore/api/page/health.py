"""How well a window was seen, in sentences."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sloscore.api.page.figures import figure

_UNSEEN: Final = (
    ("unseen_head", "at its start"),
    ("unseen_tail", "at its end"),
    ("unseen_gaps", "before restarts"),
)
_WIDENED: Final = (("widened_head", "before its start"), ("widened_tail", "after its end"))


def health_of(window: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Sentences on the ``window`` of a report, which may be one of an older release."""
    if not window or not window.get("instances"):
        return ("Nothing was read of this window.",)
    return tuple(_sentences(window))


def _sentences(window: Mapping[str, Any]) -> Iterable[str]:
    requests, instances = figure(window.get("requests")), window["instances"]
    yield f"{requests} requests finished in it, on {_number(instances, 'instance')}."
    resets = window.get("resets") or 0
    yield f"{_number(resets, 'restart')} of a server in it." if resets else "No server restarted."
    if (interval := window.get("scrape_interval")) is not None:
        yield f"Scrapes are {figure(interval)} s apart (median)."
    if warmup := window.get("warmup"):
        yield f"The first {figure(warmup)} s of the load are left out as its warm-up."
    unseen = list(_parts(window, _UNSEEN))
    if unseen:
        yield f"Seen by no scrape of some instance: {', '.join(unseen)}."
    else:
        yield "All of it was seen."
    if widened := list(_parts(window, _WIDENED)):
        yield f"Counted, too, up to the nearest scrape: {', '.join(widened)}."


def _parts(window: Mapping[str, Any], names: Iterable[tuple[str, str]]) -> Iterable[str]:
    for name, where in names:
        if (window.get(name) or 0) > 0:
            yield f"{figure(window[name])} s {where}"


def _number(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
