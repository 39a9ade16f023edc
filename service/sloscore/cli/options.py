"""Options that several commands have, and what they stand for."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sloscore.settings import PrometheusSettings, SettingsFile


def pairs(_: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """The callback of a repeatable option that is written NAME=VALUE."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{text!r} must be written NAME=VALUE", param=option)
        if name in found:
            raise click.BadParameter(f"{name} is given twice", param=option)
        found[name] = value
    return found


def read_settings(config: Path | None) -> "SettingsFile":
    """The service's settings in a file, or the defaults; raises SpecError."""
    from sloscore.settings import SettingsFile
    from sloscore.spec.loader import load_model

    return load_model(SettingsFile, config) if config else SettingsFile()


def prometheus_settings(read: "SettingsFile", url: str | None) -> "PrometheusSettings":
    """How to reach Prometheus by these settings, at ``url`` where one is given; raises SpecError."""
    from sloscore.settings import PrometheusSettings
    from sloscore.spec.loader import validate

    access = read.prometheus.model_dump(exclude_unset=True)
    if url is not None:
        access["url"] = url
    return validate(PrometheusSettings, access, "--prometheus")
