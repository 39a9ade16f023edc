"""A real VictoriaMetrics single node on loopback, with targets that can change while it runs."""

from pathlib import Path

from sloscore.simulate.prometheus import PrometheusProcess


class VictoriaMetricsProcess(PrometheusProcess):
    """One VictoriaMetrics process that scrapes as a ``PrometheusProcess`` does; it has no rules."""

    def _command(self) -> list[str]:
        return [
            self._binary,
            f"-promscrape.config={self._place / 'prometheus.yml'}",
            # What is of Prometheus alone in the file, such as rules, is passed over.
            "-promscrape.config.strictParse=false",
            "-promscrape.fileSDCheckInterval=1s",
            # What was scraped can be read after up to this long; 5 s by default.
            "-inmemoryDataFlushInterval=1s",
            f"-storageDataPath={self._place / 'data'}",
            f"-httpListenAddr={self.url.removeprefix('http://')}",
        ]


def engine_process(binary: Path, place: Path, scrape_interval: float) -> PrometheusProcess:
    """The engine of a binary, by its name."""
    is_victoria = binary.name.startswith("victoria-metrics")
    kind = VictoriaMetricsProcess if is_victoria else PrometheusProcess
    return kind(binary, place, scrape_interval)
