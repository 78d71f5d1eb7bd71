"""Text from a run, made safe to show: names, paths and messages are whatever a script chose.

`clean` stands at the trust boundary: everything that reaches a terminal or a file's text goes
through it once. Sent as it is, a module's name could write the clipboard or an app's menu.
"""

from __future__ import annotations

LONGEST = 200
"""Characters of a name that are shown."""


def _visible() -> dict[int, str]:
    table = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
    # Marks that reorder or hide what stands around them.
    unseen = (0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF)
    unseen += (*range(0xFFF9, 0xFFFC), 0xFFFE, 0xFFFF)
    table.update({code: f"\\u{code:04x}" for code in unseen})
    table.update({code: f"\\U{code:08x}" for code in range(0xE0000, 0xE0080)})  # invisible tag characters
    table.update({code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)})  # half a character
    return table


_VISIBLE = _visible()


def clean(text: str, longest: int = LONGEST) -> str:
    """`text` in at most `longest` characters of one line, control characters written out.

    Escape, C0, DEL, C1, bidirectional and invisible marks and lone surrogates become "\\x1b"
    or "\\u202e". Text that needs nothing is returned as it is. A longer one ends in "…".
    """
    if len(text) <= longest and text.isascii() and text.isprintable():
        return text
    text = text[: longest + 1].translate(_VISIBLE)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def clean_line(line: str, longest: int = 10_000) -> str:
    """A line of source or output: as `clean`, with tabs as up to four spaces."""
    return clean(line[:longest].expandtabs(4), longest)


def lines_of(source: str) -> list[str]:
    """The lines of a source file as Python counts them: a form feed or U+2028 inside of one ends none."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]


def without_surrogates(text: str) -> str:
    """`text` as it can be encoded: bytes that were no UTF-8 (in a file name) become "\\udc80"."""
    return text.encode("utf-8", "backslashreplace").decode()


def size_text(size_bytes: float) -> str:
    """ "512 B", "7 MiB", "1.2 GiB"."""
    for unit in ("B", "KiB", "MiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1024
    return f"{size_bytes:.1f} GiB"
