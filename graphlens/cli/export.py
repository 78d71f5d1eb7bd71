"""`graphlens export`: a graph of a run as a picture or a data file; a script is recorded first."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphlens import runs
from graphlens.cli import complain
from graphlens.exporters import Exporter, Options, check, exporter_for
from graphlens.exporters._writing import check_output, save
from graphlens_tracers.errors import CannotWrite, UnknownRun, Usage

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
        description="Write one graph of a run: .svg, .png and .pdf are pictures, .html is one to look around "
        "in; .dot, .mmd, .graphml and .explorer.json are for other programs, .json is the graph itself. Or "
        "what ran: .parquet and .csv are tables, .trace.json is a trace. A script is recorded first.",
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
        help="its suffix says the format; - is standard output, FOLDER/ a data set",
    )
    parser.add_argument("--format", metavar="NAME", help="the format, where the suffix does not say it")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    parser.add_argument(
        "--redact",
        action="store_true",
        help="without paths, arguments, source text, constants and kept elements: to be shown to others",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="do not say what was written")
    what = parser.add_argument_group("what of the run")
    what.add_argument("--graph", metavar="NAME", help="a graph by its number or name")
    what.add_argument("--module", metavar="PATH", help="what ran in this module, transformer.h.3")
    what.add_argument(
        "--around", metavar="OP", help="what is near an op by its number, as `graphlens show ops` lists it"
    )
    what.add_argument(
        "--hops", type=_count, metavar="N", help="with --around: so many ops along the tensors (default: 2)"
    )
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
    look.add_argument(
        "--engine",
        choices=("builtin", "dot", "auto"),
        default="builtin",
        help="what places the boxes: our own layout, the same on every machine (default), Graphviz, or it "
        "where it is there and quick",
    )
    look.add_argument(
        "--health",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="show where numbers are not finite (default)",
    )
    look.add_argument(
        "--link-template",
        metavar="URL",
        help="boxes lead to their line: an address with {file} or {path}, and {line}, "
        "for example vscode://file/{path}:{line}",
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
    options = _options(args)
    check(exporter, options)
    if args.output != STDOUT:
        check_output(exporter, args.output, force=args.force)
    if args.redact and args.link_template is not None:
        raise Usage("--redact hides the files that --link-template leads to")
    path = _recorded(args)
    with contextlib.ExitStack() as stack, warnings.catch_warnings(record=True) as said:
        run = _read(_redacted(path, stack) if args.redact else path)
        warnings.simplefilter("always")
        if args.output == STDOUT:
            _print(exporter, run, options)
            wrote = ""
        else:
            size = save(exporter, run, args.output, options, force=args.force)
            wrote = f"wrote {args.output} ({_size(size)}, {exporter.name})"
    for one in said:
        complain(str(one.message))
    if wrote and not args.quiet:
        complain(wrote)
    return 0


def _options(args: argparse.Namespace) -> Options:
    if args.hops is not None and args.around is None:
        raise Usage("--hops goes with --around")
    return Options(
        graph=args.graph,
        step=args.step,
        phase=args.phase,
        depth=args.depth,
        full=args.full,
        unlimited=args.full and args.force,
        theme=args.theme,
        process=args.process,
        module=args.module,
        around=args.around,
        hops=2 if args.hops is None else args.hops,
        health=args.health,
        link=args.link_template,
        engine=args.engine,
    )


def _print(exporter: Exporter, run: Run, options: Options) -> None:
    """All of it on standard output, or nothing."""
    with tempfile.TemporaryFile() as file:
        exporter.export(run, file, options)
        file.seek(0)
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()


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


def _redacted(path: Path, stack: contextlib.ExitStack) -> Path:
    """A copy without what is its owner's, which is gone with the stack."""
    from graphlens.redaction import HIDDEN, redact  # only who asks for it

    into = Path(stack.enter_context(tempfile.TemporaryDirectory()), f"{HIDDEN}.glens")
    into.mkdir()
    try:
        redact(path, into)
    except OSError as error:
        raise CannotWrite(f"a copy of {path.name} in {into.parent}: {error.strerror}") from error
    return into


def _read(path: Path) -> Run:
    from graphlens.session import load  # numpy and the store: not before there is a run to read

    run = load(path)
    run.refresh()
    return run
