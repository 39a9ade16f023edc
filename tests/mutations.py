"""Texts that were right before something happened to them, as strategies."""

from hypothesis import strategies as st

_TEXTS = st.text(max_size=6) | st.sampled_from(
    ["\n", "\t", "\x00", "\x85", "\u2028", "\ufeff", "\ud7ff", '"', "'", "\\", "{", "}", "[", ": ",
     " # ", "- ", "&a ", "*a ", "!!str ", "NaN", "+Inf", "-1", "0", "1e999", "9" * 400, "le", "#"]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """The text after a few changes of its lines and characters."""
    for _ in range(draw(st.integers(1, 3))):
        text = draw(_changed(text))
    return text


@st.composite
def _changed(draw: st.DrawFn, text: str) -> str:
    lines = text.split("\n")
    at = draw(st.integers(0, len(lines) - 1))
    match draw(st.integers(0, 5)):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, draw(st.sampled_from(lines)))
        case 2:
            lines = lines[:at]
        case 3:
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        case kind:
            begin = draw(st.integers(0, len(lines[at])))
            end = begin + (kind - 4) * draw(st.integers(0, 4))
            lines[at] = lines[at][:begin] + draw(_TEXTS) + lines[at][end:]
    return "\n".join(lines)


@st.composite
def shortened(draw: st.DrawFn, text: str) -> str:
    """The text without a few of its lines, and without its end."""
    lines = text.split("\n")
    lost = draw(st.sets(st.integers(0, len(lines) - 1), min_size=1, max_size=8))
    first = draw(st.integers(0, len(lines)))
    return "".join(f"{line}\n" for n, line in enumerate(lines[:first]) if n not in lost)
