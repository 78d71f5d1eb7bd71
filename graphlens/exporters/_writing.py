"""Files that are there whole or not at all, also when we are killed, or the disk is full, in the middle."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from graphlens.exporters import Exporter, Options, Partitioned
from graphlens_tracers.errors import CannotWrite, FileExists, Usage

if TYPE_CHECKING:
    from graphlens.store import Run

Produce = Callable[[BinaryIO], None]
"""Writes a document, front to back."""

_UNNAMED = getattr(os, "O_TMPFILE", 0) if os.path.isdir("/proc/self/fd") else 0


def is_folder(target: str) -> bool:
    """Whether a data set is meant, to which a run is added."""
    return target.endswith(os.sep) or os.path.isdir(target)


def check_output(exporter: Exporter, target: str, *, force: bool) -> None:
    """Say what is wrong with the output before the work is done.

    Raises:
        Usage: It is a folder, and the format is one file.
        FileExists, CannotWrite: As `save`.
    """
    if is_folder(target):
        if not isinstance(exporter, Partitioned):
            raise Usage(f"{exporter.name} is one file, and {target!r} a directory: name a file in it")
        return
    check_target(Path(target), force=force)


def save(exporter: Exporter, run: Run, target: str, options: Options, *, force: bool) -> int:
    """Write a run into a file, or add it to a folder of many; how many bytes that took.

    Raises:
        FileExists: What would be written is there, and `force` is not given.
        CannotWrite: It cannot be made.
    """
    check_output(exporter, target, force=force)
    if is_folder(target) and isinstance(exporter, Partitioned):
        name = exporter.part_of(run.info.name)
        return write_parts(Path(target), name, exporter.parts(run, options), force=force)
    return write(Path(target), lambda file: exporter.export(run, file, options), force=force)


def check_target(path: Path, *, force: bool) -> None:
    """Say what is wrong with the output before the work is done.

    Raises:
        FileExists: It is there, and `force` is not given.
        CannotWrite: It is a directory or a device, or its directory is not there.
    """
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


def write(path: Path, produce: Produce, *, force: bool) -> int:
    """Write a file whole or not at all; how many bytes it has.

    Where the file system can, the file has no name until it is finished: not even `kill -9` leaves one.

    Raises:
        FileExists: It is there, and `force` is not given.
        CannotWrite: It cannot be made.
    """
    check_target(path, force=force)
    try:
        if _UNNAMED:
            try:
                number = os.open(path.parent, _UNNAMED | os.O_RDWR | os.O_CLOEXEC, 0o666)
            except OSError:
                pass  # no such files here: the other way works, or says what is wrong
            else:
                return _unnamed(number, path, produce, force=force)
        return _named(path, produce, force=force)
    except OSError as error:
        raise CannotWrite(f"cannot write {path}: {error.strerror or error}") from error


def _unnamed(number: int, path: Path, produce: Produce, *, force: bool) -> int:
    with os.fdopen(number, "w+b") as file:
        size = _filled(file, produce)
        place = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            # Only with a directory given does os.link follow the link that /proc has of our file.
            def link(name: Path) -> None:
                os.link(f"/proc/self/fd/{file.fileno()}", name, src_dir_fd=place, follow_symlinks=True)

            if not force:
                try:
                    link(path)
                except FileExistsError:
                    raise FileExists(f"{path} is already there; --force replaces it") from None
                return size
            part = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.tmp")
            link(part)
            try:
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        finally:
            os.close(place)
    return size


def _named(path: Path, produce: Produce, *, force: bool) -> int:
    number, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(number, "w+b") as file:
            size = _filled(file, produce)
        part.chmod(0o666 & ~_umask())
        put(part, path, force=force)
    finally:
        part.unlink(missing_ok=True)
    return size


def _filled(file: BinaryIO, produce: Produce) -> int:
    produce(file)
    file.flush()
    return file.seek(0, io.SEEK_END)


def put(part: Path, path: Path, *, force: bool) -> None:
    """Give the finished file its name; without `force`, never that of another one."""
    if force:
        part.replace(path)
        return
    try:
        os.link(part, path)
    except FileExistsError:
        raise FileExists(f"{path} is already there; --force replaces it") from None
    except OSError:  # a file system without hard links
        check_target(path, force=False)
        part.replace(path)


def _umask() -> int:
    """What the process takes away from new files' permissions."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


# ── a folder ─────────────────────────────────────────────────────────────────────────────────


def check_part(root: Path, name: str, *, force: bool) -> None:
    """As `check_target`, for `write_parts`."""
    if (root / name).exists() and not force:
        raise FileExists(f"{root / name} is already there; --force replaces it")
    if root.exists() and not root.is_dir():
        raise CannotWrite(f"cannot write {root}: it is no directory")
    if not root.exists() and not root.absolute().parent.is_dir():
        raise CannotWrite(f"cannot write {root}: there is no directory {root.absolute().parent}")


def write_parts(root: Path, name: str, parts: Iterable[tuple[str, Produce]], *, force: bool) -> int:
    """Write files under `root/name`, all of them or none; how many bytes they have.

    What else is under `root` stays as it is.

    Raises:
        FileExists: `root/name` is there, and `force` is not given.
        CannotWrite: It cannot be made.
    """
    check_part(root, name, force=force)
    size = 0
    made = not root.exists()
    try:
        root.mkdir(exist_ok=True)
        # A name with a dot is no part of a data set: whoever reads it meanwhile does not see it.
        new = Path(tempfile.mkdtemp(prefix=f".{name[:40]}.", suffix=".tmp", dir=root))
        try:
            new.chmod(0o777 & ~_umask())
            for part, produce in parts:
                (new / part).parent.mkdir(parents=True, exist_ok=True)
                with open(new / part, "w+b") as file:
                    size += _filled(file, produce)
            _swap(new, root / name, force=force)
        finally:
            shutil.rmtree(new, ignore_errors=True)
            if made:
                with contextlib.suppress(OSError):  # it is not empty: that is what we wanted
                    root.rmdir()
    except OSError as error:
        raise CannotWrite(f"cannot write {root / name}: {error.strerror or error}") from error
    return size


def _swap(new: Path, path: Path, *, force: bool) -> None:
    if not os.path.lexists(path):
        new.rename(path)
        return
    if not force:
        raise FileExists(f"{path} is already there; --force replaces it")
    old = new.with_suffix(".old")
    path.rename(old)
    new.rename(path)
    shutil.rmtree(old)
