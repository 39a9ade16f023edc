"""Files that hold a secret, whose errors tell nothing of it."""

from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer


def read_secret(path: Path) -> str:
    """The text of a file, without the space around it.

    Raises ValueError, which quotes nothing of what it holds, for a file that is no readable text.
    """
    try:
        return path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        # Its own words quote a byte of the secret.
        raise ValueError(f"{shown(path)} cannot be read: it is not UTF-8 text") from None
    except (OSError, ValueError) as error:
        raise ValueError(unreadable(path, error)) from None


def shown(path: Path) -> str:
    """The path for a message, unless it may be the secret itself, put where its file belongs."""
    try:
        is_path = path.exists() or (bool(path.parent.name) and path.parent.is_dir())
    except (OSError, ValueError):
        is_path = False
    return str(path) if is_path else "the file (of a name that is not repeated here)"


def unreadable(path: Path, error: OSError | ValueError) -> str:
    """That a file cannot be read, and why, for a message."""
    reason = error.strerror if isinstance(error, OSError) else "it is no path of a file"
    return f"{shown(path)} cannot be read: {reason}"


def reason_of(error: OSError | ValueError) -> str:
    """What an error says, whose file is named as ``shown`` does."""
    if isinstance(error, OSError) and error.filename is not None:
        return unreadable(Path(error.filename), error)
    return str(error)


SecretFile = Annotated[Path, PlainSerializer(shown, return_type=str, when_used="json")]
"""A setting that names such a file, which a JSON document of settings holds as ``shown`` does."""
