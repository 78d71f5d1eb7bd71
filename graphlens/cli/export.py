"""`graphlens export`: a graph of a run as a picture or a data file; a script is recorded first."""

from __future__ import annotations

import argparse
import io
import os
import signal
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlens import runs
from graphlens.cli import complain
from graphlens.exporters import Options, exporter_for
from graphlens_tracers.errors import CannotWrite, FileExists, UnknownRun, Usage

if TYPE_CHECKING:
    from graphlens.store import Run

STDOUT = "-"


def add_to(commands: Any) -> None:  # Any: argparse keeps the type of its subparsers private
    """Add the command's parser."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "export",
        help="write a graph as a picture or a data file",
        usage="graphlens export [options] RUN -o FILE\n"
        "       graphlens export [options] SCRIPT -o FILE [-- ARG ...]",
        description="Write one graph of a run: .svg is a picture, .dot is for Graphviz, .json is the graph "
        "itself for networkx. A script is run and recorded first.",
        epilog="By default the training step that ran most is drawn, modules folded to what a person can "
        "take in, forward and backward side by side where both can be read.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "run", metavar="RUN|SCRIPT", help="a path, a name that `graphlens runs` prints, `last`"
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        required=True,
        help="its suffix says the format; - is standard output",
    )
    parser.add_argument("--format", metavar="NAME", help="the format, where the suffix does not say it")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument("-q", "--quiet", action="store_true", help="do not say what was written")
    what = parser.add_argument_group("what of the run")
    what.add_argument("--graph", metavar="NAME", help="a graph by its number or name")
    what.add_argument("--step", type=_count, metavar="N", help="as it was in this training step")
    what.add_argument(
        "--process", metavar="NAME|NUMBER", help="of this process, as `graphlens show` lists it"
    )
    look = parser.add_argument_group("pictures")
    look.add_argument("--phase", choices=("auto", "forward", "backward", "both"), default="auto")
    look.add_argument("--depth", type=_count, metavar="N", help="open N levels of modules")
    look.add_argument(
        "--full", action="store_true", help="open everything, up to 2,000 boxes; all with --force"
    )
    look.add_argument(
        "--theme", choices=("auto", "light", "dark"), default="auto", help="auto: as the reader's system is"
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)


def go(args: argparse.Namespace) -> int:
    """Exit code 0 once the file is written.

    Raises:
        Usage, UnknownRun, UnknownName: It is not clear what to write.
        FileExists, CannotWrite: The file is there already, or cannot be made.
        CannotStart: The script cannot be started.
    """
    if args.output == STDOUT and args.format is None:
        raise Usage("-o - needs --format, for example --format svg")
    exporter = exporter_for(args.output, args.format)
    if args.output != STDOUT:
        _check_target(Path(args.output), force=args.force)
    run = _read(_recorded(args))
    options = Options(
        graph=args.graph,
        step=args.step,
        phase=args.phase,
        depth=args.depth,
        full=args.full,
        unlimited=args.full and args.force,
        theme=args.theme,
        process=args.process,
    )
    out = io.BytesIO()
    exporter.export(run, out, options)
    if args.output == STDOUT:
        sys.stdout.buffer.write(out.getvalue())
        sys.stdout.buffer.flush()
        return 0
    write(Path(args.output), out.getvalue(), force=args.force)
    if not args.quiet:
        complain(f"wrote {args.output} ({_size(len(out.getvalue()))}, {exporter.name})")
    return 0


def _size(count: int) -> str:
    from graphlens.letters import bytes_text  # only to say what was written

    return bytes_text(count)


# ── what ─────────────────────────────────────────────────────────────────────────────────────


def _recorded(args: argparse.Namespace) -> Path:
    """The run directory meant; of a script, a new one."""
    path = Path(args.run)
    if path.is_file() and (path.suffix == ".py" or args.words or not _is_run(args.run)):
        return _record(args)
    if args.words:
        raise Usage(f"{args.run!r} is no script, so there is nobody to hand {args.words[0]!r} to")
    try:
        return runs.resolve(args.run)
    except UnknownRun:
        if path.suffix == ".py":
            raise UnknownRun(f"no script {args.run!r}, and no run of that name") from None
        raise


def _is_run(name: str) -> bool:
    try:
        runs.resolve(name)
    except UnknownRun:
        return False
    return True


def _record(args: argparse.Namespace) -> Path:
    """Run the script on our own descriptors; what it prints goes to standard error beside data of ours."""
    from graphlens import host  # starting a script is the rare case

    launch = host.checked(host.Launch(words=(args.run, *args.words)))
    recording = host.Recording(launch, runs.create(args.run), pty=False)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    sys.stdout.flush()
    kept = os.dup(1) if args.output == STDOUT else None
    try:
        if kept is not None:
            os.dup2(2, 1)
        ended = host.wait(recording)
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)
    recording.finish(ended)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if recording.trouble:
        complain(recording.trouble)
    name = runs.name_of(recording.run)
    if ended.code != 0:
        how = f"exit code {ended.code}" if ended.code is not None else f"signal {ended.signal}"
        complain(f"the script ended with {how}; what it did until then is in {name}")
    elif not args.quiet:
        complain(f"recorded as {name}")
    return recording.run


def _read(path: Path) -> Run:
    from graphlens.session import load  # numpy and the store: not before there is a run to read

    run = load(path)
    run.refresh()
    return run


# ── where ────────────────────────────────────────────────────────────────────────────────────


def _check_target(path: Path, *, force: bool) -> None:
    """Say what is wrong with the output before the work is done."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise CannotWrite(f"cannot write {path}: there is no directory {path.parent}") from None
        return
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}") from error
    if stat.S_ISDIR(found.st_mode):
        raise CannotWrite(f"cannot write {path}: it is a directory")
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISLNK(found.st_mode):
        raise CannotWrite(f"cannot write {path}: it is no ordinary file; -o - is standard output")
    if not force:
        raise FileExists(f"{path} is already there; --force replaces it")


def write(path: Path, data: bytes, *, force: bool) -> None:
    """Write a file whole or not at all.

    Raises:
        FileExists: It is there, and `force` is not given.
        CannotWrite: It cannot be made.
    """
    _check_target(path, force=force)
    try:
        number, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}") from error
    part = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
        part.chmod(0o666 & ~_umask())
        _put(part, path, force=force)
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _put(part: Path, path: Path, *, force: bool) -> None:
    """Give the finished file its name; without `force`, never that of another one."""
    if force:
        part.replace(path)
        return
    try:
        os.link(part, path)
    except FileExistsError:
        raise FileExists(f"{path} is already there; --force replaces it") from None
    except OSError:  # a file system without hard links
        _check_target(path, force=False)
        part.replace(path)


def _umask() -> int:
    """What the process takes away from new files' permissions."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
