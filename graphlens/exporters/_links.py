"""Links from boxes to lines of source, for those who ask for them: by a template of the user's own.

A recording can hold any file name, so names are percent-encoded, and where a link leads to is decided by
the template alone: its scheme, its host, and everything before the first name.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from graphlens.plain import shown_path
from graphlens_tracers.errors import Usage
from graphlens_tracers.events import SiteSeen

SCHEMES = (
    "https", "http", "vscode", "vscode-insiders", "vscodium", "cursor", "windsurf", "zed", "idea", "pycharm",
    "jetbrains", "subl", "txmt", "emacs",
)  # fmt: skip
"""What a link may begin with: browsers and editors, and nothing that runs."""
LONGEST = 2_000
NAMES = ("file", "path", "line")
_BEGINNING = re.compile(r"([a-z][a-z0-9+.-]*)://[^{}/?#\s]+[/?]|([a-z][a-z0-9+.-]*)://[a-z-]+\?")


def check_template(template: str) -> None:
    """Say what is wrong with a template.

    Raises:
        Usage: It has another scheme than `SCHEMES`, no host, or other names than `NAMES`.
    """
    found = re.findall(r"\{([^{}]*)\}", template)
    wrong = [name for name in found if name not in NAMES]
    if wrong or re.sub(r"\{[^{}]*\}", "", template).strip("{}") != re.sub(r"\{[^{}]*\}", "", template):
        raise Usage(f"a link's names are {{file}}, {{path}} and {{line}}: {template!r}")
    if not found or not template.isascii() or any(c.isspace() or c in "\"'<>\\`" for c in template):
        raise Usage(f"a link is an address with {{file}} or {{path}}, and {{line}}: {template!r}")
    begins = _BEGINNING.match(template.lower())
    scheme = template.partition(":")[0].lower()
    if scheme not in SCHEMES:
        raise Usage(f"a link begins with one of {', '.join(SCHEMES)}, not with {scheme!r}")
    if begins is None:
        raise Usage(
            f"a link says where it leads to before its first name: {scheme}://HOST/…, not {template!r}"
        )


def address(template: str, site: SiteSeen, cwd: str) -> str:
    """Where a line of source is; `{file}` is relative to the directory the script was started in.

    Empty where that would be longer than any browser takes.
    """
    known = {
        "file": quote(shown_path(site.file, cwd).replace("\\", "/"), safe="/", errors="replace"),
        "path": quote(site.file.replace("\\", "/"), safe="/:", errors="replace"),
        "line": str(max(site.line, 1)),
    }
    found = re.sub(r"\{([^{}]*)\}", lambda one: known[one[1]], template)
    return found if len(found) <= LONGEST else ""
