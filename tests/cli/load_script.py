"""A load as a command: waits until a vLLM or SGLang has finished so many requests more, and says so.

python load_script.py METRICS_URL REQUESTS
"""

import re
import sys
import time
import urllib.request

COUNT = re.compile(r"^(?:vllm|sglang):e2e_request_latency_seconds_count\S* (\S+)$", re.MULTILINE)


def finished(url: str) -> float:
    with urllib.request.urlopen(url) as answer:
        return sum(map(float, COUNT.findall(answer.read().decode())))


def main() -> None:
    url, requests = sys.argv[1:]
    sys.stdout.write(sys.stdin.readline().upper())
    sys.stderr.write("the load begins\n")
    before = finished(url)
    while finished(url) < before + float(requests):
        time.sleep(0.05)
    sys.stdout.write("the load has ended\n")


if __name__ == "__main__":
    main()
