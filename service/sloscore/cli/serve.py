"""``sloscore serve``: run the service."""

from pathlib import Path

import click


@click.command(
    epilog="""
    \b
    Examples:
      sloscore serve --prometheus http://127.0.0.1:9090
      SLOSCORE_TOKEN=... sloscore serve --config sloscore.yaml --host 0.0.0.0
    """
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="SLOSCORE_CONFIG",
    help="YAML file with the settings; options below come first.",
)
@click.option("--host", envvar="SLOSCORE_HOST", help="Address to bind. [default: 127.0.0.1]")
@click.option(
    "--port",
    type=int,
    envvar="SLOSCORE_PORT",
    help="Port to bind, 0 for a free one. [default: 8520]",
)
@click.option(
    "--external-url",
    envvar="SLOSCORE_EXTERNAL_URL",
    help="URL at which people reach it, such as a proxy's: alerts link there.",
)
@click.option(
    "--prometheus",
    envvar="SLOSCORE_PROMETHEUS_URL",
    help="URL of Prometheus. [default: http://127.0.0.1:9090]",
)
@click.option(
    "--no-prometheus", is_flag=True,
    help="Run without one: every experiment names its server's metrics page.",
)  # fmt: skip
@click.option(
    "--store",
    envvar="SLOSCORE_STORE",
    help="SQLite file of the experiments, or URL of a PostgreSQL. [default: sloscore.db]",
)
@click.option(
    "--shard",
    envvar="SLOSCORE_SHARD",
    metavar="I/N",
    help="Take only part I, from 0, of N parts of all experiments. [default: all of them]",
)
@click.option(
    "--interval", envvar="SLOSCORE_INTERVAL", help="Time between evaluations. [default: 5s]"
)
@click.option(
    "--insecure", is_flag=True,
    help="Let everybody write who reaches the address, where no token protects it.",
)  # fmt: skip
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    envvar="SLOSCORE_LOG_LEVEL",
    help="What is logged; reads and probes are debug. [default: info]",
)
@click.option(
    "--log-format",
    type=click.Choice(["console", "json"]),
    envvar="SLOSCORE_LOG_FORMAT",
    help="Lines for people, or a JSON object a line. [default: console]",
)
def serve(  # noqa: PLR0913  an option each
    *,
    config: Path | None,
    host: str | None,
    port: int | None,
    external_url: str | None,
    prometheus: str | None,
    no_prometheus: bool,
    store: str | None,
    shard: str | None,
    interval: str | None,
    insecure: bool,
    log_level: str | None,
    log_format: str | None,
) -> None:
    """Run the service until SIGTERM or SIGINT.

    SIGHUP and POST /-/reload read the settings again.

    Writes need one of the tokens of auth.tokens and auth.token_file or the environment's
    SLOSCORE_TOKEN, if there is any; without any the service binds loopback only.
    """
    import gc

    # All that is imported stays: looking for garbage in it is an eighth of the start.
    gc.disable()
    import asyncio
    import os

    from sloscore.api.configured import Configured
    from sloscore.api.server import serve as run
    from sloscore.logs import configure_logs

    gc.freeze()
    gc.enable()

    overrides = {
        ("listen", "host"): host,
        ("listen", "port"): port,
        ("listen", "external_url"): external_url,
        ("listen", "shard"): shard,
        ("prometheus", "url"): prometheus,
        ("prometheus", "enabled"): False if no_prometheus else None,
        ("store", "url" if store and "://" in store else "path"): store,
        ("store", "password"): os.environ.get("SLOSCORE_STORE_PASSWORD") or None,
        ("evaluation", "interval"): interval,
        ("log", "level"): log_level,
        ("log", "format"): log_format,
        ("auth", "allow_anonymous_writes"): True if insecure else None,
        ("auth", "token"): os.environ.get("SLOSCORE_TOKEN") or None,
    }
    given: dict[tuple[str, str], object] = {
        name: value for name, value in overrides.items() if value is not None
    }
    if ("store", "path") in given:
        # It comes before a URL of the file, too.
        given["store", "url"] = None
    configured = Configured(config, given)
    settings = configured.read()
    configure_logs(settings.log.format, settings.log.level)

    def announce(url: str) -> None:
        click.echo(f"sloscore listens on {url}")

    asyncio.run(run(settings, configured.read_again, announce))
