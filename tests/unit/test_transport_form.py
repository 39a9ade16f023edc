from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from sloscore.sources.transport import _encoded


@given(st.text() | st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_a_query_is_sent_as_forms_are(query: str) -> None:
    form = {"query": query, "nocache": "1"}
    try:
        expected = urlencode(form).encode()
    except UnicodeEncodeError:
        # Such a query is refused before it is sent.
        return

    assert _encoded(form) == expected
