"""What a server said in place of an answer, as one line for people."""

import html
import re

_LOOKED_AT_BYTES = 8 * 1024
_QUOTED_CHARACTERS = 500
_MARKUP = re.compile(
    r"<(script|style)\b.*?(</\1\s*>|\Z)|<!--.*?(-->|\Z)|<[^>]*>", re.DOTALL | re.IGNORECASE
)


def quoted(text: bytes) -> str:
    """The first words of a text; of a page of HTML those that a browser shows."""
    said = text[:_LOOKED_AT_BYTES].decode(errors="replace")
    if said.lstrip("\ufeff \t\r\n").startswith("<"):
        said = html.unescape(_MARKUP.sub(" ", said))
    words = " ".join(said.split())[:_QUOTED_CHARACTERS]
    # Nothing that a terminal would obey may get into the log.
    return "".join(c if c.isprintable() else "\ufffd" for c in words) or "(no text)"
