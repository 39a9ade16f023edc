"""docs/faults.md has a row for each fault that the service is held to, and no other one."""

from tests.docs.markdown import table
from tests.integration.source_faults import FAULTS, HARMLESS


def test_the_table_has_every_fault_with_the_kind_that_is_counted() -> None:
    shown = {row["fault"]: row["kind"].strip("`") for row in table("docs/faults.md", "faults")}

    assert shown == {name: fault.kind or "none" for name, fault in {**FAULTS, **HARMLESS}.items()}
