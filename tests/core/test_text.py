"""Names from a run reach a terminal only as visible text."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from graphlens.text import clean, clean_line, without_surrogates


@given(text=st.text(st.characters(), max_size=300))
def test_nothing_that_moves_or_hides_is_left(text: str) -> None:
    """Escape codes write the clipboard; bidirectional marks turn a path round."""
    found = clean(text)

    assert len(found) <= 200
    bidi = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    for character in found:
        assert unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}
        assert unicodedata.bidirectional(character) not in bidi
    assert found.encode().decode() == found


def test_controls_are_spelt_out() -> None:
    """So that a person sees that something odd is there."""
    assert clean("a\x1b]52;c;x\x07") == "a\\x1b]52;c;x\\x07"
    assert clean("\x7f\x9b\u202e\u200b\ufeff\ud800") == "\\x7f\\x9b\\u202e\\u200b\\ufeff\\ud800"
    assert clean("two\nlines\ttab") == "two\\x0alines\\x09tab"


def test_ordinary_names_stay_as_they_are() -> None:
    """Other scripts too."""
    for name in ("GPT2.h.0.attn", "模型.层", "größe", "a b", ""):
        assert clean(name) == name


def test_long_names_end_in_dots() -> None:
    """A megabyte is no name."""
    assert clean("x" * 10**6) == "x" * 199 + "…"
    assert len(clean("\x1b" * 10**6)) == 200
    assert clean("x" * 200) == "x" * 200
    assert clean("héllo wörld", 5) == "héll…"


def test_a_line_keeps_its_indentation() -> None:
    """Source with tabs lines up."""
    assert clean_line("\tif x:\x0c") == "    if x:\\x0c"


@given(text=st.text(st.characters(), max_size=50))
def test_text_without_surrogates_can_be_written(text: str) -> None:
    """Whatever it was."""
    assert without_surrogates(text).encode().decode() == without_surrogates(text)
