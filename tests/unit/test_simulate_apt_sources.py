"""Sources of another suite, made from every form in which apt keeps its own."""

from pathlib import Path
from typing import NamedTuple

import pytest

from sloscore.errors import SloscoreError
from sloscore.simulate.apt_sources import write_sources

DEBIAN = """\
Types: deb deb-src
# http://snapshot.debian.org/archive/debian/20250520T000000Z
URIs: http://deb.debian.org/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
DEBIAN_SID = """\
types: deb
uris: http://deb.debian.org/debian
suites: sid
components: main
signed-by: /usr/share/keyrings/debian-archive-keyring.gpg
"""
SECURITY = """\
Types: deb
URIs: http://deb.debian.org/debian-security
Suites: bookworm-security
Components: main
"""
INLINE_KEY = """\
Types: deb
URIs: https://mirror.example/debian
Suites: stable
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBFit
 -----END PGP PUBLIC KEY BLOCK-----
"""
INLINE_KEY_SID = """\
types: deb
uris: https://mirror.example/debian
suites: sid
components: main
signed-by: \n -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBFit
 -----END PGP PUBLIC KEY BLOCK-----
"""
OTHER = """\
Types: deb
URIs: https://deb.nodesource.com/node_20.x
Suites: nodistro
Components: main
"""
OTHER_SID = """\
types: deb
uris: https://deb.nodesource.com/node_20.x
suites: sid
components: main
"""


class Case(NamedTuple):
    files: dict[str, str]
    stanzas: str = ""
    lines: str = ""


CASES = {
    "a stanza keeps its mirror and key": Case(
        {"sources.list.d/debian.sources": DEBIAN}, stanzas=DEBIAN_SID
    ),
    "a key inside of a stanza is kept whole": Case(
        {"sources.list.d/debian.sources": INLINE_KEY}, stanzas=INLINE_KEY_SID
    ),
    "security updates of another suite are no source of it": Case(
        {"sources.list.d/debian.sources": f"{SECURITY}\n{DEBIAN}"}, stanzas=DEBIAN_SID
    ),
    "stanzas that are switched off stay off": Case(
        {
            "sources.list.d/debian.sources": f"Enabled: False\n{OTHER}\n\nEnabled: no\n{OTHER}\n{DEBIAN}"
        },
        stanzas=DEBIAN_SID,
    ),
    "a stanza without suites is passed over": Case(
        {"sources.list.d/debian.sources": f"Types: deb\nComponents: main\n\n{DEBIAN}"},
        stanzas=DEBIAN_SID,
    ),
    "comments between stanzas end them as empty lines do": Case(
        {"sources.list.d/debian.sources": f"# mirrors\n\n{DEBIAN}\n# the end\n"},
        stanzas=DEBIAN_SID,
    ),
    "a line keeps its options and mirror": Case(
        {
            "sources.list": "deb [arch=amd64 signed-by=/k.gpg] http://deb.debian.org/debian "
            "bookworm main contrib\n"
        },
        lines="deb [arch=amd64 signed-by=/k.gpg] http://deb.debian.org/debian sid main\n",
    ),
    "comments, sources of code, discs and pockets are passed over": Case(
        {
            "sources.list": "# deb http://old.example/debian bookworm main\n"
            "deb cdrom:[Debian GNU/Linux 12 _Bookworm_ - Official amd64]/ bookworm main\n"
            "deb-src http://deb.debian.org/debian bookworm main\n"
            "deb http://deb.debian.org/debian-security bookworm-security main\n"
            "deb http://deb.debian.org/debian bookworm/updates main\n"
            "deb http://deb.debian.org/debian bookworm contrib\n"
            "  deb   http://deb.debian.org/debian   bookworm   main  # the mirror\n"
        },
        lines="deb http://deb.debian.org/debian sid main\n",
    ),
    "files of lines are read as sources.list is": Case(
        {"sources.list.d/own.list": "deb http://mirror.example/debian trixie main\n"},
        lines="deb http://mirror.example/debian sid main\n",
    ),
    "sources of others do not hide the distribution's own": Case(
        {
            "sources.list.d/a.sources": OTHER,
            "sources.list": "deb http://deb.debian.org/debian bookworm main\n",
        },
        stanzas=OTHER_SID,
        lines="deb http://deb.debian.org/debian sid main\n",
    ),
    "several stanzas stay apart": Case(
        {"sources.list.d/a.sources": OTHER, "sources.list.d/debian.sources": DEBIAN},
        stanzas=f"{OTHER_SID}\n{DEBIAN_SID}",
    ),
}


def etc_with(place: Path, files: dict[str, str]) -> Path:
    etc = place / "etc"
    for name, text in files.items():
        path = etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return etc


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_sources(tmp_path: Path, case: Case) -> None:
    write_sources("sid", tmp_path, etc_with(tmp_path, case.files))

    assert (tmp_path / "sloscore.sources").read_text(encoding="utf-8") == case.stanzas
    assert (tmp_path / "sloscore.list").read_text(encoding="utf-8") == case.lines


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"sources.list": "# empty\n"},
        {"sources.list.d/debian.sources": SECURITY},
        {"sources.list": "deb http://deb.debian.org/debian bookworm contrib\n"},
    ],
    ids=["no files", "no entries", "security only", "no main"],
)
def test_a_machine_without_a_source_is_told_what_is_missing(
    tmp_path: Path, files: dict[str, str]
) -> None:
    etc = etc_with(tmp_path, files)

    with pytest.raises(SloscoreError) as error:
        write_sources("sid", tmp_path, etc)

    assert str(error.value) == (
        f"{etc} names no source of this distribution to take sid from: "
        "it needs a deb entry with the component main"
    )
