"""How a PostgreSQL is reached: encrypted and checked, unless it is on this machine."""

import ssl

import pytest

from sloscore.experiments.postgres import _tls, postgres_url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@127.0.0.1/db",
        "postgresql://u@[::1]:5433/db",
        "postgresql://u@localhost/db",
        "postgresql:///db",
        "postgresql:///db?host=/run/postgresql",
    ],
)
def test_a_database_of_this_machine_is_reached_as_it_likes(url: str) -> None:
    assert _tls(postgres_url(url)) == "prefer"


@pytest.mark.parametrize(
    "url", ["postgresql://u@db.example.org/db", "postgresql://u@10.0.0.7:5432/db"]
)
def test_a_database_elsewhere_has_to_show_its_certificate(url: str) -> None:
    context = _tls(postgres_url(url))
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_url_can_say_otherwise() -> None:
    assert _tls(postgres_url("postgresql://u@db.example.org/db?ssl=disable")) == "disable"
