"""Parts of the pages."""

from collections.abc import Iterable, Sequence

NOTE = "Made from the code by `make reference`; a test compares the two."


def page(title: str, *parts: str) -> str:
    """A page with its title, and the note that it is made."""
    return "\n\n".join([f"# {title}", *parts, NOTE]) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what would end a cell is escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def paragraphs(text: str) -> str:
    """The text of a docstring: its code marks as Markdown has them, a line a paragraph."""
    return "\n\n".join(" ".join(part.split()) for part in text.replace("``", "`").split("\n\n"))


def code(text: str, language: str = "text") -> str:
    """A block of text as it is."""
    return f"```{language}\n{text}\n```"


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")
