"""`graphlens export --redact`: nothing of its owner's is in what is written."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from factories import OpRow, leaf, new_run, ran, seen, site
from golden_runs import make
from graphlens.cli import main
from graphlens.exporters import exporters
from graphlens.redaction import redact
from graphlens.store import Run
from graphlens_tracers.events import (
    ByHand,
    CallBegan,
    CallEnded,
    CallId,
    Gap,
    GraphId,
    Numerics,
    Seq,
    SourceSeen,
    Unusual,
)

FORMATS = [one for one in exporters() if one.name not in ("png", "pdf", "parquet")]


def secrets(run: Path) -> set[bytes]:
    """What a run's files say of its owner: paths, the script's name, its lines, and constants in them."""
    info = json.loads((run / "run.json").read_text())
    found = {info["cwd"], info["script"], info["name"], *info["argv"], info["executable"]}
    for source in (run / "sources").iterdir():
        lines = [line.strip() for line in source.read_text().splitlines()]
        found.update(line for line in lines if len(line) > 12)
    return {one.encode() for one in found if one}


@pytest.mark.parametrize("packed", sorted(make.HERE.glob("*.zip")), ids=lambda path: path.stem)
def test_no_format_says_what_is_its_owners(packed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(packed) as file:
        file.extractall(tmp_path)
    run = tmp_path / f"{packed.stem}.glens"
    wanted, plainly = secrets(run), set()
    assert len(wanted) > 10

    for exporter in FORMATS:
        for redacts in (False, True):
            path = tmp_path / f"{'redacted' if redacts else 'plain'}{exporter.suffix}"
            words = ["export", str(run), "-q", "-o", str(path), "--format", exporter.name]
            assert main([*words, "--redact"] if redacts else words) == 0
            said = {secret for secret in wanted if secret in path.read_bytes()}
            if redacts:
                assert said == set(), exporter.name
            else:
                plainly |= said
    assert len(plainly) > 3  # else nothing was to be hidden


def test_words_of_every_kind_of_event_are_hidden_and_what_ran_is_not(tmp_path: Path) -> None:
    run, copy = tmp_path / "run.glens", tmp_path / "copy.glens"
    log = new_run(run, argv=["secret.py", "--key", "secret"])
    form = '[["$0","secret",3.25],{"memory_format":"secret"}]'
    nodes = [ran(0, inputs=[100], site=0), ran(1, inputs=[0], form=form)]
    log.declare(site(0, 3, file="/secret/place/train.py"), SourceSeen("/secret/place/train.py", "a" * 64))
    log.declare(*seen(*nodes, leaves=[leaf(100)], because="n: secret"))
    log.calls(CallBegan(CallId(0), GraphId(0), Seq(0), 0, "train", thread="secret"))
    log.ran(OpRow(0, [(0.5, 1.0)]), OpRow(1, [(float("nan"), float("nan"))]))
    log.calls(CallEnded(CallId(0), Seq(1), error="ValueError: secret"))
    log.facts(
        Unusual(Seq(1), 0, Numerics(4, 1, 0, 0), by_hand=(ByHand("secret + 1"),)),
        Unusual(Seq(1), -1, error="my.Error: secret"),
        Gap("failed", "functions in /secret/place: OSError: secret", Seq(0), 2),
    )
    log.finish()
    copy.mkdir()
    redact(run, copy)

    assert b"secret" in b"".join(file.read_bytes() for file in run.iterdir() if file.is_file())
    assert b"secret" not in b"".join(file.read_bytes() for file in copy.iterdir())
    before, after = Run(run).main, Run(copy).main
    assert after.op_count == before.op_count == 2
    assert after.rows(Seq(0), Seq(2)).node.tolist() == before.rows(Seq(0), Seq(2)).node.tolist()
    assert after.bad_rows().tolist() == before.bad_rows().tolist() == [1]
    assert [call.error for call in after.calls()] == ["ValueError"]
    assert after.op(Seq(1)).error == "my.Error"
    (gap,) = after.gaps
    assert (gap.what, gap.count) == ("functions in hidden", 2)
    arguments, named = json.loads(after.nodes[nodes[1].node].form)
    assert arguments == ["$0", "hidden", "hidden"] and named == {"memory_format": "hidden"}


def test_a_link_to_a_hidden_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new_run(tmp_path / "run.glens").finish()
    words = ["export", str(tmp_path / "run.glens"), "-o", str(tmp_path / "a.svg"), "--redact"]

    assert main([*words, "--link-template", "vscode://file/{path}:{line}"]) == 2
    assert "--redact hides the files" in capsys.readouterr().err
    assert not (tmp_path / "a.svg").exists()
