"""The hashes of stored tensors, computed in the background while the tensors are read."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from engine.cores import usable_cores
from engine.weight_files import StoredTensor

#: Bytes that may wait for their hash. More, and they would leave the page cache before it comes.
_MAX_WAITING = 4 * 10**9


class BackgroundHashes:
    """Content hashes in as many threads as there are cores.

    A tensor is to be added when it is read, so that its bytes come from the disk once.

    Args:
        on_hashed: told in a thread of the pool how many bytes are hashed so far; never in two
            threads at once.
    """

    def __init__(self, on_hashed: Callable[[int], object] = lambda _: None) -> None:
        self._on_hashed = on_hashed
        self._pool = ThreadPoolExecutor(usable_cores(), "inkfill-hash")
        self._hashes: dict[StoredTensor, Future[str]] = {}
        self._changed = threading.Condition()
        self._waiting = 0
        self._hashed = 0

    def add(self, tensor: StoredTensor) -> None:
        """Hash a tensor soon; waits while too many bytes wait. One that is there already stays."""
        if tensor in self._hashes:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < _MAX_WAITING)
            self._waiting += tensor.nbytes
        # hashlib lets go of the interpreter lock, and so does reading.
        self._hashes[tensor] = self._pool.submit(self._hash, tensor)

    def result(self, tensor: StoredTensor) -> str:
        """The content hash of a tensor, once it is there.

        Raises:
            CheckpointError: the file became shorter meanwhile.
            OSError: it cannot be read.
        """
        self.add(tensor)
        return self._hashes[tensor].result()

    def _hash(self, tensor: StoredTensor) -> str:
        try:
            return tensor.content_hash(self._count)
        finally:
            with self._changed:
                self._waiting -= tensor.nbytes
                self._changed.notify_all()

    def _count(self, size: int) -> None:
        with self._changed:
            self._hashed += size
            self._on_hashed(self._hashed)


def digest_of(hashes: Mapping[str, str]) -> str:
    """One sha256 over content hashes by name, whatever their order and their files."""
    lines = "".join(f"{name} {hashes[name]}\n" for name in sorted(hashes))
    return hashlib.sha256(lines.encode()).hexdigest()
