"""``sloscore token``: a new token, and the line of the settings that lets it in."""

from pathlib import Path

import click


@click.command(
    epilog="""
    \b
    Examples:
      sloscore token tuner --role write
      sloscore token grafana --role read --out grafana-token
    """
)
@click.argument("name")
@click.option(
    "--role", type=click.Choice(["read", "write", "admin"]), required=True,
    help="read: see experiments; write: register and end them, too; admin: all there is.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path),
    help="File to write the token to, which only you can read; it must be new.",
)  # fmt: skip
def token(*, name: str, role: str, out: Path | None) -> None:
    """Make a token for NAME, and print the line for auth.tokens of the settings.

    The settings hold the token's SHA-256 only; the token itself is shown once, or written to
    --out.
    """
    import hashlib
    import secrets

    from sloscore.settings_access import TokenSettings
    from sloscore.spec.loader import validate

    # 256 random bits: nobody guesses them, so that a plain hash hides them well.
    secret = f"slo_{secrets.token_urlsafe(32)}"
    digest = hashlib.sha256(secret.encode()).hexdigest()
    validate(TokenSettings, {"name": name, "role": role, "sha256": digest}, "")
    if out is None:
        click.echo(f"token: {secret}")
    else:
        _write(out, secret)
    click.echo(f"auth:\n  tokens:\n    - {{name: {name}, role: {role}, sha256: {digest}}}")


def _write(path: Path, secret: str) -> None:
    import os

    from sloscore.errors import SettingsError

    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(number, "w", encoding="utf-8") as file:
        file.write(f"{secret}\n")
