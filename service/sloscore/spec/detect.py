"""Which inference server it is, by the names of the metrics that it exposes."""

import re
from collections.abc import Iterable, Mapping

from sloscore.errors import SpecError
from sloscore.spec.preset import Preset, load_preset, preset_names

_MOST_NAMES_SHOWN = 20
_PART = re.compile(r"_(?:bucket|sum|count|created)$")
# What every exporter exposes of itself, Prometheus of its scrape, and Go and Python of their runtime.
_SAYS_NOTHING = re.compile(r"(?:up$|ALERTS|(?:go|process|promhttp|python|scrape)_)")


def recognise(names: Iterable[str]) -> str:
    """The preset of the server that exposes these metrics: names of series, or of their families.

    A preset fits where one of its signatures is exposed in full: by default a spelling of its
    latency, with its whole name. Prefixes and likenesses do not count, so

    - vLLM through Ray (``ray_vllm_...``) is ray-serve-llm, not vllm;
    - a worker of Dynamo is its engine, as it passes on the engine's names (with more labels);
      only the frontend is dynamo;
    - NIM and the first releases of trtllm-serve, which share names without any prefix, are told
      apart by what only one of them has.

    Of those that fit, one that gives way to another counts no more: llm-d's router exposes the
    older names of the Gateway API Inference Extension as well, KServe's server wraps an engine.

    Raises SpecError where no preset is left or more than one is, as for a selector that holds a
    gateway and the engines behind it: with what was seen, and what each preset needs.
    """
    seen = frozenset(names)
    exposed = seen | {name.removesuffix("_bucket") for name in seen}
    presets = {name: load_preset(name) for name in preset_names()}
    fitting = [name for name, preset in presets.items() if _fits(preset, exposed)]
    meant = [name for name in fitting if not set(fitting) & set(presets[name].gives_way_to)]
    if len(meant) == 1:
        return meant[0]
    if not seen:
        raise SpecError(["server: cannot be recognised, as no metrics are exposed"])
    if not meant:
        first = (
            f"server: no preset fits the metrics that are exposed ({_shown(seen)}); name one, give "
            "the metrics' own names, or send the server a first request: many show none before"
        )
        raise SpecError([first, *_needs(presets)])
    first = (
        f"server: {', '.join(meant)} all fit the metrics that are exposed ({_shown(seen)}); name "
        "the one that is meant, or select fewer series"
    )
    raise SpecError([first, *_needs({name: presets[name] for name in meant})])


def _fits(preset: Preset, exposed: frozenset[str]) -> bool:
    return any(exposed.issuperset(signature) for signature in preset.signatures)


def _needs(presets: Mapping[str, Preset]) -> list[str]:
    return [
        f"{name} needs {' or '.join(' with '.join(one) for one in preset.signatures)}"
        for name, preset in presets.items()
    ]


def _shown(seen: Iterable[str]) -> str:
    families = {_PART.sub("", name) for name in seen}
    telling = {name for name in families if not _SAYS_NOTHING.match(name)} or families
    first = sorted(telling)[:_MOST_NAMES_SHOWN]
    more = len(telling) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")
