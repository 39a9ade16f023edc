"""``python -m sloscore.alerting``: print the alert rules, or write them to a file."""

import argparse
import re
import sys
from pathlib import Path

from sloscore.alerting.render import render
from sloscore.alerting.rules import DEFAULT_JOB


def main() -> None:
    """Print the rule file that the options ask for."""
    parser = argparse.ArgumentParser(
        prog="python -m sloscore.alerting",
        description="Print alert rules on what the service exports, for Prometheus and its kin.",
    )
    parser.add_argument(
        "--job", default=DEFAULT_JOB, help="the job that scrapes the service [%(default)s]"
    )
    parser.add_argument(
        "--runbooks", metavar="URL",
        help="where the pages of docs/runbooks are found [those that the service serves]",
    )  # fmt: skip
    parser.add_argument(
        "--no-keep-firing",
        action="store_true",
        help="leave keep_firing_for out, for Prometheus before 2.42",
    )
    parser.add_argument("--write", metavar="FILE", type=Path, help="a file in place of stdout")
    given = parser.parse_args()
    if not re.fullmatch(r"[\w./:-]+", given.job):
        parser.error("--job: give the name of a scrape job: letters, digits and any of _ . / : -")
    rules = render(given.job, given.runbooks, keep_firing=not given.no_keep_firing)
    if given.write is None:
        sys.stdout.write(rules)
    else:
        given.write.write_text(rules, encoding="ascii")


if __name__ == "__main__":
    main()
