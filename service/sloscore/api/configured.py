"""Where the settings come from: a file, with what options and environment set over it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sloscore.errors import SpecError
from sloscore.settings import Settings, SettingsFile
from sloscore.spec.document import Document, dotted, read_document
from sloscore.spec.loader import read_file, validate, validate_document

Name = tuple[str, ...]

# What is bound, opened or handed over once.
FIXED: Final = {
    "listen.host",
    "listen.port",
    "listen.tls",
    "listen.drain",
    "listen.shard",
    "store.path",
    "store.url",
    "store.password",
    "store.password_file",
    "limits.max_connections",
    "limits.idle_timeout",
    "limits.unread_timeout",
    "limits.max_body_bytes",
}


@dataclass(frozen=True, slots=True)
class Configured:
    """A settings file, if there is one, and the values that come before it, by section and key."""

    path: Path | None
    overrides: Mapping[tuple[str, str], object] = field(repr=False)

    def read(self) -> Settings:
        """The settings as they are now; raises SpecError with a sentence for each mistake."""
        return self._read()[0]

    def read_again(self, current: Settings) -> Settings:
        """As ``read``, for a service that runs with the ``current`` ones.

        Raises SpecError also for what has changed and cannot without a restart.
        """
        settings, document = self._read()
        fixed = [name for name in changes(current, settings) if _is_fixed(name)]
        if fixed:
            raise SpecError(
                [
                    f"{_place(document, name)}: cannot change while the service runs: restart it"
                    for name in fixed
                ]
            )
        return settings

    def _read(self) -> tuple[Settings, Document | None]:
        document, data = None, {}
        if self.path is not None:
            document = read_document(read_file(self.path), str(self.path))
            read = validate_document(SettingsFile, document)
            data = read.model_dump(exclude_unset=True)
        for (section, key), value in self.overrides.items():
            data[section] = {**(data.get(section) or {}), key: value}
        return validate(Settings, data, "settings"), document


def changes(before: Settings, after: Settings) -> list[Name]:
    """Names of the settings that differ, as section and key."""
    flat_before, flat_after = dict(_flat(before.model_dump())), dict(_flat(after.model_dump()))
    names = dict.fromkeys([*flat_before, *flat_after])
    return [name for name in names if flat_before.get(name) != flat_after.get(name)]


def _flat(values: Mapping[str, Any], prefix: Name = ()) -> Iterator[tuple[Name, object]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, (*prefix, key))
        else:
            yield (*prefix, key), value


def _place(document: Document | None, name: Name) -> str:
    where = "settings" if document is None else f"{document.name}:{document.line_of(name)}"
    return f"{where}: {dotted(name)}"


def _is_fixed(name: Name) -> bool:
    return ".".join(name[:2]) in FIXED
