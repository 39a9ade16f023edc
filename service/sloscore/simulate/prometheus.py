"""A real Prometheus on loopback, with targets that can change while it runs."""

import asyncio
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

import aiohttp
import yaml

from sloscore.errors import SloscoreError
from sloscore.simulate.process import ChildProcess

_HOST: Final = "127.0.0.1"
_PORTS_TO_TRY: Final = 5
_POLL_SECONDS: Final = 0.05


class PrometheusProcess:
    """One Prometheus process, started by ``start()`` or ``with``.

    ``scrape_interval`` is in seconds; ``rule_files`` are paths; ``alertmanagers`` and targets are
    addresses (``host:port``); ``features`` are those that are off by default;
    ``scrape_settings`` holds more of a ``scrape_config`` by job. Start it in a thread that outlives
    it.
    """

    def __init__(  # noqa: PLR0913  each has a default, all but the first are named
        self,
        binary: Path | str,
        place: Path,
        scrape_interval: float = 1.0,
        *,
        rule_files: Sequence[Path | str] = (),
        alertmanagers: Sequence[str] = (),
        features: Sequence[str] = (),
        flags: Sequence[str] = (),
        scrape_settings: Mapping[str, Mapping[str, object]] | None = None,
    ) -> None:
        self._binary = str(binary)
        self._place = Path(place).resolve()
        self._interval = f"{max(1, round(scrape_interval * 1000))}ms"
        self._rule_files = [str(Path(path).resolve()) for path in rule_files]
        self._alertmanagers = list(alertmanagers)
        self._features = list(features)
        self._flags = list(flags)
        self._scrape_settings = dict(scrape_settings or {})
        self._jobs: dict[str, list[str]] = {}
        self._process: ChildProcess | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Base URL of the running server."""
        return f"http://{_HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the running server; raises SloscoreError where none runs."""
        if self._process is None:
            raise SloscoreError("Prometheus does not run")
        return self._process.pid

    def start(self) -> None:
        """Run it and return when it answers; raises SloscoreError with its log if it does not."""
        self._write_targets()
        (self._place / "prometheus.yml").write_text(yaml.safe_dump(self._config()))
        for _ in range(_PORTS_TO_TRY):
            self._port = _free_port()
            process = ChildProcess("Prometheus", self._command(), self._place / "prometheus.log")
            try:
                process.wait_until(self._is_ready)
            except SloscoreError:
                if "address already in use" not in process.output():
                    raise
            else:
                self._process = process
                return
        raise SloscoreError(f"Prometheus found no free port on {_HOST} in {_PORTS_TO_TRY} tries")

    def stop(self) -> None:
        """End the process and wait for it; harmless where it does not run."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def restart(self) -> None:
        """Stop, and run again at the same address with the same data."""
        self.stop()
        process = ChildProcess("Prometheus", self._command(), self._place / "prometheus.log")
        process.wait_until(self._is_ready)
        self._process = process

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def set_targets(self, jobs: Mapping[str, Sequence[str]]) -> None:
        """Scrape exactly these addresses of these jobs from now on; it notices within seconds."""
        self._jobs = {job: list(addresses) for job, addresses in jobs.items()}
        self._write_targets()

    def add_targets(self, job: str, addresses: Sequence[str]) -> None:
        """Scrape these addresses as well."""
        self.set_targets({**self._jobs, job: [*self._jobs.get(job, []), *addresses]})

    def remove_targets(self, addresses: Sequence[str]) -> None:
        """Scrape these addresses no more."""
        gone = set(addresses)
        self.set_targets(
            {job: [a for a in known if a not in gone] for job, known in self._jobs.items()}
        )

    async def wait_for_scrape(self, address: str, after: float, seconds: float = 30.0) -> float:
        """Unix time of the first successful scrape seen of this address later than ``after``.

        Raises SloscoreError after that many ``seconds`` without one.
        """
        up = f'up{{instance="{address}"}}'
        # Of anything but a bare selector, timestamp() gives the time of the query.
        query = f"timestamp({up}) > {after!r} and {up} == 1"
        deadline = time.monotonic() + seconds
        async with aiohttp.ClientSession() as session:
            while time.monotonic() < deadline:
                # VictoriaMetrics keeps the last 30 s back unless asked like this.
                form = {"query": query, "nocache": "1"}
                async with session.post(f"{self.url}/api/v1/query", data=form) as reply:
                    answer = await reply.json()
                if answer["status"] != "success":
                    raise SloscoreError(f"Prometheus refuses {query}: {answer['error']}")
                if result := answer["data"]["result"]:
                    return max(float(series["value"][1]) for series in result)
                await asyncio.sleep(_POLL_SECONDS)
        raise SloscoreError(f"Prometheus did not scrape {address} within {seconds:g} s")

    def _command(self) -> list[str]:
        command = [
            self._binary,
            f"--config.file={self._place / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._place / 'data'}",
            f"--web.listen-address={_HOST}:{self._port}",
            *self._flags,
        ]
        if self._features:
            command.append(f"--enable-feature={','.join(self._features)}")
        return command

    def _config(self) -> dict[str, object]:
        managers = [{"static_configs": [{"targets": self._alertmanagers}]}]
        return {
            "global": {
                "scrape_interval": self._interval,
                "scrape_timeout": self._interval,
                "evaluation_interval": self._interval,
            },
            "rule_files": self._rule_files,
            "alerting": {"alertmanagers": managers if self._alertmanagers else []},
            "scrape_configs": [
                self._scrape_config("inference", "targets.json"),
                *(
                    {**self._scrape_config(job, _targets_file(job)), **settings}
                    for job, settings in self._scrape_settings.items()
                ),
            ],
        }

    def _scrape_config(self, job: str, file: str) -> dict[str, object]:
        targets = {"files": [str(self._place / file)], "refresh_interval": "1s"}
        return {"job_name": job, "file_sd_configs": [targets]}

    def _write_targets(self) -> None:
        own = {job: _targets_file(job) for job in self._scrape_settings}
        groups: dict[str, list[object]] = {file: [] for file in ("targets.json", *own.values())}
        for job, known in self._jobs.items():
            group = {"targets": known, "labels": {"job": job}}
            groups[own.get(job, "targets.json")].append(group)
        self._place.mkdir(parents=True, exist_ok=True)
        for file, found in groups.items():
            new = self._place / f"{file}.new"
            new.write_text(json.dumps(found))
            # Prometheus watches the directory and must never read half a file.
            new.replace(self._place / file)

    def _is_ready(self) -> bool | None:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:  # noqa: S310  http by construction
                return True if answer.status == 200 else None
        except urllib.error.HTTPError as error:
            error.close()
            return None
        except OSError:
            return None


def _targets_file(job: str) -> str:
    return f"targets-{job}.json"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port: int = probe.getsockname()[1]
        return port
