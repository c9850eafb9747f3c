"""One child of the workshop: takes items from a socket, one after the other, and answers each.

Run as ``python -m pipelines.workbench FD PARENT``. It imports what it is asked for, when it is
asked. It ends with its parent: the socket closes, or on Linux the kernel ends it in its work.
"""

import ctypes
import os
import pickle
import signal
import socket
import struct
import sys
import traceback
from io import BufferedReader, BufferedWriter

from pipelines.errors import ItemFailed

HEADER = struct.Struct("!I")
_PR_SET_PDEATHSIG = 1


def main() -> None:
    _follow_the_parent()
    with socket.socket(fileno=int(sys.argv[1])) as line:
        items, answers = line.makefile("rb"), line.makefile("wb")
        while (frame := _read(items)) is not None:
            _write(answers, _outcome(frame))


def _follow_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[2]):
        sys.exit("the parent is gone")


def _outcome(frame: bytes) -> bytes:
    try:
        function, item = pickle.loads(frame)  # noqa: S301  # our parent wrote it
        return pickle.dumps((True, function(item)), pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # noqa: BLE001  # the edge of this process: it travels to the parent
        return _failure(error)


def _failure(error: Exception) -> bytes:
    told = "".join(traceback.format_exception(error))
    error.add_note(f"In the workshop:\n{told}")
    try:
        frame = pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
        pickle.loads(frame)  # noqa: S301  # some errors cannot be made again of their arguments
    except Exception:  # noqa: BLE001  # what an error does when pickled is anybody's guess
        stated = ItemFailed(f"{type(error).__name__}: {error}")
        stated.add_note(f"In the workshop:\n{told}")
        return pickle.dumps((False, stated), pickle.HIGHEST_PROTOCOL)
    return frame


def _read(stream: BufferedReader) -> bytes | None:
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    return stream.read(HEADER.unpack(header)[0])


def _write(stream: BufferedWriter, frame: bytes) -> None:
    stream.write(HEADER.pack(len(frame)))
    stream.write(frame)
    stream.flush()


if __name__ == "__main__":
    main()
