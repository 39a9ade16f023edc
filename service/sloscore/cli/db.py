"""``sloscore db``: check, copy and upgrade the file that a service keeps its experiments in."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from sloscore.cli.exits import CRITICAL, OK, WARNING
from sloscore.cli.options import read_settings

_MOST_SHOWN: Final = 50


@click.group(
    epilog="""
    \b
    Examples:
      sloscore db check --store sloscore.db
      sloscore db backup --config sloscore.yaml backups/monday.db
      sloscore db migrate --store sloscore.db
    """
)
def db() -> None:
    """Check, back up and upgrade the store of a service.

    check and backup work beside a running service. Without --store or --config it is sloscore.db
    of this directory, as for serve.
    """


def _on_store(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that name the store."""
    store = click.option(
        "--store", type=click.Path(path_type=Path), envvar="SLOSCORE_STORE",
        help="SQLite file of the experiments. [default: that of --config, sloscore.db]",
    )  # fmt: skip
    config = click.option(
        "--config", type=click.Path(path_type=Path), envvar="SLOSCORE_CONFIG",
        help="Settings of the service, which name its store.",
    )  # fmt: skip
    return store(config(command))


@db.command()
@_on_store
@click.pass_context
def check(context: click.Context, *, store: Path | None, config: Path | None) -> None:
    """Say whether a store is sound, and all in it of use to this release.

    Exits with 0 where it is, with 10 where it holds experiments that this release cannot read, and
    with 11 where the file is damaged.
    """
    from sloscore.evaluation.stored import faults_of
    from sloscore.experiments.schema import MIGRATIONS
    from sloscore.experiments.upkeep import faults_of_file, read_version, rows_of, snapshot

    path = _path(store, config)
    states: Counter[str] = Counter()
    unusable: list[str] = []
    with snapshot(path) as connection:
        version = read_version(connection)
        damage = faults_of_file(connection)
        try:
            for row in rows_of(connection):
                states[_text(row["state"])] += 1
                unusable += [f"{_text(row['id'])}: {fault}" for fault in faults_of(row)]
        except sqlite3.DatabaseError as error:
            damage.append(f"not all experiments can be read: {error}")
    latest = len(MIGRATIONS)
    older = "" if version == latest else f" of {latest}; `sloscore db migrate` upgrades it"
    click.echo(f"{path}: schema version {version}{older}")
    counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    click.echo(f"experiments: {states.total()}{counted and f' ({counted})'}")
    _list("file", damage, "sound")
    _list("content", unusable, "this release can read all of it")
    context.exit(CRITICAL if damage else WARNING if unusable else OK)


@db.command()
@_on_store
@click.argument("dest", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace DEST where it is there.")
def backup(*, store: Path | None, config: Path | None, dest: Path, force: bool) -> None:
    """Copy a store to DEST, also while a service writes to it.

    DEST is one consistent state, examined, and there as a whole or not at all. It is a store itself:
    `sloscore serve --store DEST` runs on it.
    """
    from sloscore.experiments.upkeep import copy

    path = _path(store, config)
    size = copy(path, dest, force=force)
    click.echo(f"{dest}: a sound copy of {path}, {size} bytes")


@db.command()
@_on_store
@click.option("--no-backup", is_flag=True, help="Do not keep a copy of the older store beside it.")
def migrate(*, store: Path | None, config: Path | None, no_backup: bool) -> None:
    """Bring a store to the schema of this release, while no service uses it.

    Keeps a copy of the older store beside it first.
    """
    from sloscore.experiments.lock import held
    from sloscore.experiments.schema import MIGRATIONS
    from sloscore.experiments.upkeep import copy, read_version, snapshot

    path = _path(store, config)
    with snapshot(path) as connection:
        version = read_version(connection)
    latest = len(MIGRATIONS)
    if version == latest:
        click.echo(f"{path}: schema version {latest}, which is up to date")
        return
    with held(path):
        if not no_backup:
            moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
            kept = path.with_name(f"{path.name}.v{version}-{moment}")
            copy(path, kept)
            click.echo(f"{kept}: a copy of the store as it was")
        asyncio.run(_upgrade(path))
    click.echo(f"{path}: upgraded from schema version {version} to {latest}")


async def _upgrade(path: Path) -> None:
    from sloscore.experiments.store import ExperimentStore

    store = await ExperimentStore.open(path)
    await store.close()


def _path(store: Path | None, config: Path | None) -> Path:
    from sloscore.errors import StoreError

    place = read_settings(config).store.place if store is None else store
    # A path keeps one slash of a URL's two.
    if isinstance(place, str) or str(place).startswith("postgresql:"):
        raise StoreError(
            "the store is a PostgreSQL database: copy it by pg_dump, and check it by pg_amcheck; a "
            "service upgrades it when it starts"
        )
    return place


def _list(title: str, faults: list[str], otherwise: str) -> None:
    click.echo(f"{title}: {f'{len(faults)} found' if faults else otherwise}")
    for fault in faults[:_MOST_SHOWN]:
        click.echo(f"  {fault}")
    if len(faults) > _MOST_SHOWN:
        click.echo(f"  and {len(faults) - _MOST_SHOWN} more")


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
