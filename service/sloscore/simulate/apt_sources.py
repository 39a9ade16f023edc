"""An apt source for another suite, made from the sources that the machine already trusts."""

import re
from pathlib import Path

from sloscore.errors import SloscoreError

# deb [options] uri suite component...
_ONE_LINE = re.compile(r"^deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*\S)\s*$")
_POCKET = re.compile(r"[-/](security|updates|backports|proposed)")
_NO = frozenset({"no", "false", "without", "off", "disable", "0"})


def write_sources(suite: str, into: Path, etc: Path = Path("/etc/apt")) -> None:
    """Write the sources of ``etc`` into the directory, turned to the ``suite``.

    Reads one-line ``sources.list`` files and ``*.sources`` in deb822 form. Nothing tells the
    distribution's own mirror from others', so all are taken: apt does without those that fail.
    Raises SloscoreError where the machine has no source with the component main.
    """
    stanzas: list[str] = []
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        text = path.read_text(encoding="utf-8")
        stanzas += [_in_deb822(stanza, suite) for stanza in re.split(r"\n\s*\n", text)]
    lines: list[str] = []
    for path in (etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))):
        if path.exists():
            text = path.read_text(encoding="utf-8")
            lines += [_in_one_line(line, suite) for line in text.splitlines()]
    if not any((*stanzas, *lines)):
        raise SloscoreError(
            f"{etc} names no source of this distribution to take {suite} from: "
            "it needs a deb entry with the component main"
        )
    (into / "sloscore.sources").write_text("\n".join(filter(None, stanzas)), encoding="utf-8")
    (into / "sloscore.list").write_text("".join(lines), encoding="utf-8")


def _in_deb822(stanza: str, suite: str) -> str:
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
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "").lower() in _NO:
        return ""
    suites = fields.get("suites", "").split()
    is_main = "main" in fields.get("components", "").split()
    if not is_main or not suites or _POCKET.search(suites[0]):
        return ""
    fields |= {"types": "deb", "suites": suite, "components": "main"}
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def _in_one_line(line: str, suite: str) -> str:
    match = _ONE_LINE.match(line.strip())
    if match is None:
        return ""
    options, uri, own_suite, components = match.groups()
    is_main = "main" in components.split()
    if not is_main or uri.startswith("cdrom:") or _POCKET.search(own_suite):
        return ""
    return f"deb {options or ''}{uri} {suite} main\n"
