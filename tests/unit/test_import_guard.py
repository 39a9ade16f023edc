"""What commands import before they answer: each module that is needless makes all of them later."""

import subprocess
import sys

import pytest

# What the service is built of; a command that answers from numbers or over HTTP needs none of it.
HEAVY = {"aiohttp", "jinja2", "orjson", "prometheus_client", "pydantic", "sqlalchemy", "structlog"}


def modules_of(code: str) -> set[str]:
    """The modules that a new process has imported once it has run the code."""
    script = f"import sys\n{code}\nprint(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(ran.stdout.splitlines()[-1].split())


def loaded_by(code: str) -> set[str]:
    """The top packages of those."""
    return {name.partition(".")[0] for name in modules_of(code)}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            "from sloscore.cli.main import cli\ncli(['--help'], standalone_mode=False)",
            "sloscore --help",
        ),
        ("import sloscore.client.sync", "the blocking client"),
        ("import sloscore.compat", "sloscore.compat"),
    ],
    ids=["help", "client", "compat"],
)
def test_what_answers_at_once_imports_nothing_of_the_service(code: str, why: str) -> None:
    heavy = HEAVY & loaded_by(code)
    assert not heavy, f"{why} imports {', '.join(sorted(heavy))}: import it where it is used"


def test_the_async_client_imports_aiohttp_and_nothing_else_of_the_service() -> None:
    heavy = (HEAVY - {"aiohttp"}) & loaded_by("import sloscore.client.aio")
    assert not heavy, f"the async client imports {', '.join(sorted(heavy))}"


def test_a_service_imports_no_library_of_an_extra() -> None:
    extras = {"asyncpg", "matplotlib", "numpy", "optuna", "pandas", "pyarrow"}
    heavy = extras & loaded_by("import sloscore.api.server")
    assert not heavy, f"the service imports {', '.join(sorted(heavy))}, which only an extra brings"


def test_a_service_is_ready_before_it_imports_what_few_requests_need() -> None:
    late = {"jinja2", "sqlalchemy.dialects.postgresql"}
    heavy = late & modules_of("import sloscore.api.server")
    assert not heavy, f"the service imports {', '.join(sorted(heavy))}: import it where it is used"
