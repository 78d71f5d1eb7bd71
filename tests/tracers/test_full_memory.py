"""A place for pages that is full: the script must not notice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TAKES = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
from graphlens_tracers.page import Page
page = Page(sys.argv[1], 1, 1, 0)
for at in range(8, 65536, 4096):
    page.bytes[at] = 1
print(page.shared, Path(sys.argv[1]).exists())
"""


def test_page_that_gets_no_memory_is_kept_in_the_process(tmp_path: Path) -> None:
    """Mapped without memory behind it, its first write would kill the script by SIGBUS."""
    said = subprocess.run(
        [sys.executable, "-c", TAKES, str(tmp_path / "p-1-00000000.0.page")], capture_output=True, text=True
    )

    assert (said.returncode, said.stdout) == (0, "False False\n"), said.stderr
