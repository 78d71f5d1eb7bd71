"""What a killed process left in its pages is put into its log: everything, and nothing twice."""

from __future__ import annotations

import json
import random
import struct
import subprocess
from pathlib import Path

import pytest

from factories import LogWriter, OpRow, PageWriter, ran
from graphlens import tails
from graphlens.runs import Entry
from graphlens_tracers.events import CallBegan, CallId, GraphId, Seq, Unusual
from graphlens_tracers.wire import At, Kind, frames, page_frames


@pytest.fixture
def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A run directory and a pages directory."""
    run, pages = tmp_path / "run", tmp_path / "graphlens-pages"
    run.mkdir()
    pages.mkdir(mode=0o700)
    return run, pages


def left_behind(run: Path, pid: int) -> PageWriter:
    """A log with two operations, and a page with three more and everything else a page can hold."""
    log = LogWriter(run, pid=pid).started()
    log.declare(ran(0), ran(1)).ran(OpRow(0), OpRow(1))
    return PageWriter(
        log,
        rows=[OpRow(0), OpRow(1), OpRow(2)],
        events=[
            (Kind.DECLARATIONS, ran(2)),
            (Kind.CALLS, CallBegan(CallId(0), GraphId(0), Seq(2), 0, "train")),
            (Kind.FACTS, Unusual(Seq(3), 0, error="boom")),
        ],
        running=(5, 2, "aten.mul.Tensor train.py:3"),
    )


def content(path: Path) -> list[tuple[Kind, bytes]]:
    """The frames of a log that has no torn end, with what they presuppose checked."""
    data = path.read_bytes()
    found = list(frames(data))
    assert (found[-1].end if found else 0) == len(data)
    declared = 0
    for frame in found:
        assert frame.presupposed == declared, frame.kind
        if frame.kind is Kind.DECLARATIONS:
            declared += len(json.loads(frame.body))
    return [(frame.kind, frame.body) for frame in found]


def test_everything_in_the_page_goes_behind_the_log(places: tuple[Path, Path], gone: int) -> None:
    run, pages = places
    page = left_behind(run, gone)
    path = page.write(pages)
    before = content(page.log.path)
    running = tails.sweep(run, pages)
    after = content(page.log.path)

    assert after[: len(before)] == before
    kinds = [kind for kind, _ in after[len(before) :]]
    assert kinds == [Kind.DECLARATIONS, Kind.ROWS, Kind.RANGES, Kind.CALLS, Kind.FACTS]
    assert running == {
        page.log.stem: {"seq": 5, "node": 2, "name": "aten.mul.Tensor train.py:3", "since_ns": 0}
    }
    assert not path.exists() and not pages.exists()


def test_process_without_a_log_yet_gets_one(places: tuple[Path, Path], gone: int) -> None:
    run, pages = places
    PageWriter(LogWriter(run, pid=gone), events=[(Kind.DECLARATIONS, ran(0))]).write(pages)
    tails.sweep(run, pages)

    assert [kind for kind, _ in content(LogWriter(run, pid=gone).path)] == [Kind.DECLARATIONS]
    assert LogWriter(run, pid=gone).path.stat().st_mode & 0o777 == 0o600


def emptying(image: bytes, seq: int, declared: int) -> list[bytes]:
    """The page after each store of a flush, in the order in which the traced process makes them."""
    page = bytearray(image)

    def put(at: At, value: int) -> bytes:
        struct.pack_into("<Q", page, at, value)
        return bytes(page)

    stores = [
        put(At.GENERATION, 3),
        put(At.FRAMES, declared),
        put(At.BASE, seq),
        *(put(at, 0) for at in (At.ROWS, At.SLOTS, At.BLOCKS, At.SCALARS, At.TEXT)),
        put(At.GENERATION, 4),
    ]
    return stores


@pytest.mark.parametrize("after", range(9))
def test_process_killed_while_it_emptied_the_page(after: int, places: tuple[Path, Path], gone: int) -> None:
    """Whatever the last store was: each frame once, each with what it presupposes."""
    run, pages = places
    page = left_behind(run, gone)
    image = page.data()
    page.log.raw(b"".join(page_frames(image)))
    whole = content(page.log.path)
    page.write(pages).write_bytes(emptying(image, 5, page.log.declared + 1)[after])
    tails.sweep(run, pages)

    assert content(page.log.path) == whole


def test_process_killed_while_it_appended(places: tuple[Path, Path], gone: int) -> None:
    """At every byte of the write: the torn frame is written again, whole."""
    run, pages = places
    page = left_behind(run, gone)
    image = page.data()
    before, add = page.log.path.read_bytes(), b"".join(page_frames(image))
    page.log.raw(add)
    whole = content(page.log.path)
    for length in range(len(add)):
        pages.mkdir(mode=0o700, exist_ok=True)
        page.log.path.write_bytes(before + add[:length])
        page.write(pages).write_bytes(emptying(image, 5, 0)[0])
        tails.sweep(run, pages)

        assert content(page.log.path) == whole, length


def test_segment_that_was_begun_is_the_one_that_is_continued(places: tuple[Path, Path], gone: int) -> None:
    """The page is told of a new segment only after the write."""
    run, pages = places
    page = left_behind(run, gone)
    image = page.data()
    first = page.log.path.read_bytes()
    (run / f"{page.log.stem}.001.log").write_bytes(b"".join(page_frames(image))[:70])
    page.write(pages).write_bytes(emptying(image, 5, 0)[0])
    tails.sweep(run, pages)

    assert page.log.path.read_bytes() == first
    assert (run / f"{page.log.stem}.001.log").read_bytes() == b"".join(page_frames(image))


def test_page_of_a_living_process_stays(places: tuple[Path, Path]) -> None:
    run, pages = places
    with subprocess.Popen(["sleep", "30"]) as process:
        path = left_behind(run, process.pid).write(pages)
        assert tails.sweep(run, pages) == {}
        assert path.exists()
        process.kill()
    assert len(tails.sweep(run, pages)) == 1
    assert not pages.exists()


@pytest.mark.parametrize("damage", ["short", "magic", "name", "link"])
def test_file_that_is_no_page_of_ours_stays(damage: str, places: tuple[Path, Path], gone: int) -> None:
    run, pages = places
    page = left_behind(run, gone)
    path = page.write(pages)
    if damage == "short":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "magic":
        path.write_bytes(b"\0" * 65536)
    elif damage == "name":
        path = path.rename(pages / "x.page")
    else:
        path = path.rename(path.with_suffix(".other"))
        (pages / f"{page.log.stem}.0.page").symlink_to(path)
    before = page.log.path.read_bytes()
    tails.sweep(run, pages)

    assert path.exists() and page.log.path.read_bytes() == before


@pytest.mark.parametrize("seed", range(40))
def test_page_that_was_written_over_harms_nothing(seed: int, places: tuple[Path, Path], gone: int) -> None:
    """A script that crashes has often damaged its memory first; the log before stays as it was."""
    run, pages = places
    page = left_behind(run, gone)
    image = bytearray(page.data())
    chance = random.Random(seed)
    for _ in range(chance.choice((1, 4, 1000))):
        image[chance.choice((chance.randrange(At.GENERATION, 160), chance.randrange(65536)))] = (
            chance.randrange(256)
        )
    struct.pack_into("<QQ", image, At.PID, gone, 0)
    before = page.log.path.read_bytes()
    page.write(pages).write_bytes(image)
    tails.sweep(run, pages)

    for path in run.glob("*.log"):
        found = list(frames(path.read_bytes()))
        assert found[-1].end == path.stat().st_size
    assert page.log.path.read_bytes().startswith(before)


def test_only_a_private_directory_of_ours_is_looked_into(places: tuple[Path, Path], gone: int) -> None:
    """run.json may come from somebody else."""
    run, pages = places
    path = left_behind(run, gone).write(pages)
    other = pages.rename(pages.with_name("somewhere"))
    record = {"state": "finished", "pages": str(other)}
    tails.settle(Entry("x", run, 0.0, "finished", record))
    assert (other / path.name).exists()

    other = other.rename(pages)
    other.chmod(0o755)
    tails.settle(Entry("x", run, 0.0, "finished", {**record, "pages": str(other)}))
    assert path.exists()
    other.chmod(0o700)
    tails.settle(Entry("x", run, 0.0, "finished", {**record, "pages": str(other)}))
    assert not other.exists()


def test_interpreters_that_are_too_old_are_counted(tmp_path: Path) -> None:
    for name in ("untraced-2.7-1", "untraced-2.7-2", "untraced-3.8-3"):
        (tmp_path / name).touch()

    assert tails.untraced(tmp_path) == {"2.7": 2, "3.8": 1}
