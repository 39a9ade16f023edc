"""An apt source for another suite, made from the sources that the machine already trusts."""

import re
from pathlib import Path

from sloscore.errors import SloscoreError

# deb [options] uri suite component...
_ONE_LINE = re.compile(r"^deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*\S)\s*$")
_POCKET = re.compile(r"[-/](security|updates|backports|proposed)")


def write_sources(suite: str, into: Path, etc: Path = Path("/etc/apt")) -> None:
    """Write a source of the ``suite`` into the directory, with the mirror and key of ``etc``.

    Reads one-line ``sources.list`` files and ``*.sources`` in deb822 form. Raises SloscoreError
    where the machine has no source of its own distribution.
    """
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
            entry = _in_deb822(stanza, suite)
            if entry:
                (into / "sloscore.sources").write_text(entry, encoding="utf-8")
                return
    for path in (etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))):
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            entry = _in_one_line(line, suite)
            if entry:
                (into / "sloscore.list").write_text(entry, encoding="utf-8")
                return
    raise SloscoreError(
        f"{etc} names no source of this distribution to take {suite} from: "
        "it needs a deb entry with the component main"
    )


def _in_deb822(stanza: str, suite: str) -> str | None:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            fields[name] = f"{fields.get(name, '')}\n{line}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") == "no":
        return None
    suites = fields.get("suites", "").split()
    if "main" not in fields.get("components", "").split() or _POCKET.search(suites[0]):
        return None
    fields |= {"types": "deb", "suites": suite, "components": "main"}
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def _in_one_line(line: str, suite: str) -> str | None:
    match = _ONE_LINE.match(line.strip())
    if match is None:
        return None
    options, uri, own_suite, components = match.groups()
    if "main" not in components.split() or _POCKET.search(own_suite):
        return None
    return f"deb {options or ''}{uri} {suite} main\n"
