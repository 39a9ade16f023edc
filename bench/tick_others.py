"""The other clients of bench_tick.py, by the packages of a Python of their own.

    python bench/tick_others.py api-client|slo-generator

The first line of its input is a JSON object with the ``url``, a ``window`` in seconds and the ``queries``
of one tick. It says "ready", does one tick for each line that follows, and prints a JSON object for each.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def peak_memory() -> int:
    """Bytes that this process held at most; what rusage tells is that of its parent, if that is more."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def api_client(given: Mapping[str, Any]) -> Callable[[], list[float]]:
    """A tick by prometheus-api-client: each query by itself."""
    from prometheus_api_client import PrometheusConnect  # noqa: PLC0415  one of two is there

    connection = PrometheusConnect(url=given["url"])

    def tick() -> list[float]:
        answers = [connection.custom_query(query) for query in given["queries"]]
        return [float(row["value"][1]) for answer in answers for row in answer]

    return tick


def slo_generator(given: Mapping[str, Any]) -> Callable[[], list[float]]:
    """A tick by Google's slo-generator: each SLI by its backend for Prometheus."""
    from slo_generator.backends.prometheus import (  # noqa: PLC0415  as above
        PrometheusBackend,
    )

    backend = PrometheusBackend(url=given["url"])
    configs = [
        {"spec": {"service_level_indicator": {"expression": query}}} for query in given["queries"]
    ]

    def tick() -> list[float]:
        now = int(time.time())
        return [backend.query_sli(now, given["window"], config) for config in configs]

    return tick


def main() -> None:
    logging.disable(logging.WARNING)
    given = json.loads(sys.stdin.readline())
    tick = (api_client if sys.argv[1] == "api-client" else slo_generator)(given)
    print("ready", flush=True)
    for _ in sys.stdin:
        began, used = time.perf_counter(), time.process_time()
        values = tick()
        found = {
            "wall": time.perf_counter() - began,
            "cpu": time.process_time() - used,
            "rss": peak_memory(),
            "values": len(values),
        }
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
