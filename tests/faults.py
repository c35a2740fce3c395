"""
What can happen to a process that writes: it is killed, or the disk is full. Both really happen, in a child of this one.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NEWNS, NEWUSER = 0x00020000, 0x10000000  # linux/sched.h
PRIVATE = 0x4000 | 0x40000  # MS_REC | MS_PRIVATE of linux/mount.h
WRITES = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")  # of Python's table of audit events


def in_child(act: Callable[[], Any]) -> tuple[int, Any]:
    """The signal that ended a copy of this process (0: none), and what `act` gave there; raises what it raised."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(read)
            try:
                told: tuple[bool, Any] = True, act()
            except BaseException as error:  # noqa: BLE001  it is raised again on the other side
                told = False, error
            with open(write, "wb") as out:
                out.write(pickle.dumps(told))
        finally:
            os._exit(0)  # whatever happened: a second pytest must not go on from here
    os.close(write)
    with open(read, "rb") as given:
        content = given.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status), None
    well, value = pickle.loads(content)
    if not well:
        raise value
    return 0, value


def killed_at(moment: int, act: Callable[[], Any], below: Path) -> bool:
    """Whether a process that does `act` is killed before its change number `moment` (from 0) of what lies below a folder."""

    def dying() -> None:
        left = iter(range(moment))

        def watch(event: str, values: tuple[Any, ...]) -> None:
            if event in WRITES and _changes(event, values, below) and next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        act()

    return in_child(dying)[0] == signal.SIGKILL


def _changes(event: str, values: tuple[Any, ...], below: Path) -> bool:
    named = isinstance(values[0], str | os.PathLike) and str(values[0]).startswith(str(below))
    return named and (event != "open" or bool(values[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))


def killed_after(size: int, act: Callable[[], Any]) -> bool:
    """Whether a process that does `act` is killed when a file has so many bytes, in the middle of what it writes."""

    def dying() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        act()

    return in_child(dying)[0] == signal.SIGXFSZ


@contextmanager
def limited(size: int, process: int = 0) -> Iterator[None]:
    """No file of a process (0: this one) gets longer: errno EFBIG, whatever the disk and whoever the user."""
    _, most = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))


@contextmanager
def full_disk(folder: Path, room: int) -> Iterator[None]:
    """A disk of its own in a folder, of which only so many bytes are free: errno ENOSPC. Only in a child: it stays there."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(NEWNS if os.geteuid() == 0 else NEWNS | NEWUSER) or libc.mount(b"none", b"/", None, PRIVATE, None):
        raise PermissionError(ctypes.get_errno(), "no disk of one's own")
    size = 4_000_000
    if libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, f"size={size}".encode()):
        raise PermissionError(ctypes.get_errno(), "no disk of one's own")
    filler = folder / "filler"
    with filler.open("wb") as file:
        file.write(bytes(size - room))
    yield
    filler.unlink()


def own_disk() -> bool:
    """Whether this system lets a test have one."""

    def attempt() -> bool:
        try:
            with full_disk(Path("/tmp"), 0):
                return True
        except PermissionError:
            return False

    return bool(in_child(attempt)[1])
