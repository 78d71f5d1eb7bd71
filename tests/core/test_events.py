"""Decoding: what is wrong is named with its file, its frame and its field; nothing is guessed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

import graphlens
from factories import encode, new_run, ran, run_json, seen, site
from graphlens.decode import events, run_info
from graphlens.store import Run
from graphlens_tracers import wire
from graphlens_tracers.errors import BadRunFile, UnknownRun
from graphlens_tracers.events import EVENTS, FORMAT, Numerics, Seq, SourceSeen, Unusual
from graphlens_tracers.eventtext import plain


def test_every_event_comes_back_equal() -> None:
    """As the sink writes it: defaults left out."""
    said = [*seen(ran(0, inputs=[9, None])), site(0, 3), Unusual(Seq(1), 0, Numerics(4, 1, 0, 0))]

    assert events(encode(said), "here") == said


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b'[["NoSuch",{}]]', "unknown event 'NoSuch'"),
        (b'[["CallTurned",{"call":"x","graph":0}]]', r"CallTurned.call: Expected `int`, got `str`"),
        (b'[["CallTurned",{"call":1}]]', "graph"),
        (b'[["Gap",{"kind":"odd","what":"","first":0,"count":0}]]', r"Gap.kind: Invalid enum value"),
        (b'{"a":1}', "not an array"),
        (b"[[1,2]]", "not an array"),
        (b'[["Gap"', "JSON"),
        (b'[["Gap",' + b"[" * 100_000 + b"]" * 100_000 + b"]]", "nested|JSON|Gap"),
        (b'[["\\ud800",{}]]', "unknown event"),
        (b'["\\ud800"]', "not an array"),
        (b'[["Gap",{"kind":1,"what":"\\ud800","first":0,"count":0}]]', "Gap.kind"),
    ],
)
def test_a_wrong_event_is_named(body: bytes, word: str) -> None:
    """File, frame, field: whoever writes a tracer needs it."""
    with pytest.raises(BadRunFile, match=word) as caught:
        events(body, "p-1.000.log: frame 3")

    assert "p-1.000.log: frame 3" in str(caught.value)
    assert "[bad-run-file]" in str(caught.value)


def test_the_error_names_file_and_frame_of_a_real_log(tmp_path: Path) -> None:
    """Counted from 0 in its file."""
    log = new_run(tmp_path / "run.glens")
    log.put(wire.Kind.FACTS, b'[["Gap",{"kind":"thread","what":5,"first":0,"count":0}]]')

    with pytest.raises(BadRunFile, match=r"p-4242-0badcafe\.000\.log: frame 1: Gap\.what"):
        Run(log.directory)


def test_fields_that_we_do_not_know_are_ignored() -> None:
    """A later version may add some."""
    (event,) = events(b'[["CallTurned",{"call":1,"graph":2,"later":[1]}]]', "here")

    assert plain(event) == {"call": 1, "graph": 2}


def test_a_file_name_that_is_no_utf8_is_shown_as_bytes() -> None:
    """Python gives half surrogates for it, and writes them as JSON."""
    (event,) = events(json.dumps([["SourceSeen", {"file": "/x/\udce9.py", "digest": "0"}]]).encode(), "here")

    assert event == SourceSeen("/x/\\udce9.py", "0")


def test_a_number_that_is_not_finite_is_read() -> None:
    """Python's JSON has NaN as a bare word."""
    (event,) = events(
        b'[["Unusual",{"seq":1,"slot":0,"numerics":{"size":1,"nan":1,"pos_inf":0,"neg_inf":0,"mean":NaN}}]]',
        "",
    )

    assert isinstance(event, Unusual)
    assert event.numerics is not None
    assert str(event.numerics.mean) == "nan"


@pytest.mark.parametrize("name", [kind.__name__ for kind in EVENTS])
def test_every_kind_of_event_has_a_decoder(name: str) -> None:
    """A kind that is added to the vocabulary is read without another line here."""
    with pytest.raises(BadRunFile, match=f"{name}: Expected `object`"):
        events(json.dumps([[name, 5]]).encode(), "here")


# ── formats ──────────────────────────────────────────────────────────────────────────────────


def test_a_newer_log_is_refused_with_the_version_it_needs(tmp_path: Path) -> None:
    """An old reader would misread it."""
    log = new_run(tmp_path / "run.glens")
    frame = bytearray(wire.frame(wire.Kind.FACTS, b"[]", 0, 0))
    frame[4] = 9
    log.raw(bytes(frame))

    with pytest.raises(BadRunFile, match="format 9, this is format 1; upgrade graphlens"):
        Run(log.directory)


def test_newer_events_are_refused(tmp_path: Path) -> None:
    """The frames may be old and the events new."""
    log = new_run(tmp_path / "run.glens")
    log.put(wire.Kind.DECLARATIONS, b'[["RunStarted",{"argv":[],"pid":1,"format":7}]]')

    with pytest.raises(BadRunFile, match=f"format 7, this is format {FORMAT}"):
        Run(log.directory)


@pytest.mark.parametrize("more", [{}, {"argv": 5}])
def test_a_newer_run_json_is_refused(tmp_path: Path, more: dict[str, Any]) -> None:
    """Even if its fields are others by then."""
    new_run(tmp_path / "run.glens", format=3, **more)

    with pytest.raises(BadRunFile, match=r"run\.json was written by format 3, this is format 1"):
        Run(tmp_path / "run.glens")


# ── not a run ────────────────────────────────────────────────────────────────────────────────


def test_what_is_not_a_run_is_said_to_be_none(tmp_path: Path) -> None:
    """One line that names the thing."""
    (tmp_path / "file").write_text("x")
    for path, word in [
        (tmp_path, r"is not a run: it has no run\.json"),
        (tmp_path / "file", "it is not a directory"),
    ]:
        with pytest.raises(BadRunFile, match=word):
            graphlens.load(path)
    with pytest.raises(UnknownRun, match="no run 'nowhere'"):
        graphlens.load("nowhere")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format":1}', '{"format":1,"name":3}', "[" * 200_000, "null"]
)
def test_a_damaged_run_json_is_named(tmp_path: Path, text: str) -> None:
    """With the file, and what is wrong."""
    new_run(tmp_path / "run.glens")
    (tmp_path / "run.glens" / "run.json").write_text(text)

    with pytest.raises(BadRunFile, match=r"run\.json"):
        Run(tmp_path / "run.glens")


def test_odd_run_json_is_read(tmp_path: Path) -> None:
    """An argument that is no UTF-8, and fields of later versions."""
    new_run(tmp_path / "run.glens", argv=["train.py", "\udcff"], later=1)

    assert run_info(tmp_path / "run.glens").argv == ("train.py", "\\udcff")


# ── somebody else's run ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("what", ["link", "pipe", "device", "directory"])
def test_only_ordinary_files_are_opened(tmp_path: Path, what: str) -> None:
    """A pipe would hang us, a link would show another file."""
    log = new_run(tmp_path / "run.glens")
    log.path.unlink()
    secret = tmp_path / "secret"
    secret.write_bytes(b"GLNS")
    match what:
        case "link":
            log.path.symlink_to(secret)
        case "pipe":
            os.mkfifo(log.path)
        case "device":
            log.path.symlink_to("/dev/zero")
        case _:
            log.path.mkdir()
    began = time.monotonic()
    with pytest.raises(BadRunFile, match=r"is a link|not an ordinary file"):
        Run(log.directory)

    assert time.monotonic() - began < 2


@pytest.mark.parametrize("name", ["run.json", "sources/" + "0" * 64, "output.log"])
def test_a_pipe_in_place_of_another_file_does_not_hang(tmp_path: Path, name: str) -> None:
    """Whatever is opened is opened the same way."""
    log = new_run(tmp_path / "run.glens").declare(SourceSeen("a.py", "0" * 64))
    (log.directory / "sources").mkdir()
    (log.directory / name).unlink(missing_ok=True)
    os.mkfifo(log.directory / name)

    def use() -> None:
        run = Run(log.directory)
        run.main.source("a.py")
        run.output()

    with pytest.raises(BadRunFile, match="not an ordinary file"):
        use()


@pytest.mark.parametrize("digest", ["../../secret", "/etc/passwd", "", "0" * 63, "G" * 64])
def test_a_source_is_only_read_by_a_digest(tmp_path: Path, digest: str) -> None:
    """It is a file name that somebody else chose."""
    log = new_run(tmp_path / "run.glens").declare(SourceSeen("a.py", digest))

    assert Run(log.directory).main.source("a.py") is None


def test_a_source_is_decoded_as_python_would(tmp_path: Path) -> None:
    """By its coding line; what does not decode is shown, not refused."""
    log = new_run(tmp_path / "run.glens")
    (log.directory / "sources").mkdir()
    for k, data in enumerate(
        ["# coding: latin-1\n# é\n".encode("latin-1"), b"\xff\n", b"# coding: nonsense\n"]
    ):
        digest = f"{k:064x}"
        (log.directory / "sources" / digest).write_bytes(data)
        log.declare(SourceSeen(f"{k}.py", digest))
    process = Run(log.directory).main

    assert process.source("0.py") == "# coding: latin-1\n# é\n"
    assert process.source("1.py") == "\ufffd\n"
    assert process.source("2.py") == "# coding: nonsense\n"
    assert process.source("3.py") is None


def test_output_is_read_on(tmp_path: Path) -> None:
    """It grows at its end, and is replaced when its middle is cut out."""
    new_run(tmp_path / "run.glens")
    run = Run(tmp_path / "run.glens")
    nothing = run.output()
    file = run.path / "output.log"
    file.write_bytes(b"one\n")
    first = run.output()
    with file.open("ab") as more:
        more.write(b"two\n")
    second = run.output()
    (run.path / "new").write_bytes(b"one\n...\n")
    (run.path / "new").replace(file)

    assert (nothing, first, second, run.output()) == (b"", b"one\n", b"one\ntwo\n", b"one\n...\n")


def test_a_run_directory_that_goes_away_is_an_error(tmp_path: Path) -> None:
    """While it is followed."""
    log = new_run(tmp_path / "run.glens")
    run = Run(log.directory)
    run_json(log.directory)
    log.directory.rename(tmp_path / "elsewhere")

    with pytest.raises(BadRunFile, match="cannot be read"):
        run.refresh()
