"""Options that several commands have, and what they stand for."""

import os
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


def say(sentence: str) -> None:
    """A line of sloscore's own on stderr."""
    click.echo(f"sloscore: {sentence}", err=True)


def seconds(_: click.Context, option: click.Parameter, given: str) -> float:
    """The callback of an option that is a duration, such as 30s or 5m; above 0."""
    from sloscore.settings_base import parse_duration

    try:
        found = parse_duration(given)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None
    if not isinstance(found, float) or found <= 0:
        raise click.BadParameter(f"{given!r} must be above 0", param=option)
    return found


def web_address(_: click.Context, option: click.Parameter, given: str) -> str:
    """The callback of an option that is the URL of a service."""
    from sloscore.settings_base import plain_url

    try:
        return plain_url(given)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None


def read_token(file: Path | None) -> str | None:
    """The token of a protected service, from its file or SLOSCORE_TOKEN; raises SpecError."""
    from sloscore.errors import SpecError
    from sloscore.secret_files import read_secret

    if file is None:
        return os.environ.get("SLOSCORE_TOKEN") or None
    try:
        return read_secret(file)
    except ValueError as error:
        raise SpecError([f"--token-file: {error}"]) from None


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
