# SPDX-License-Identifier: Apache-2.0
"""What is done to a machine: the file that faults.c reads."""
import mmap
import struct


class Faults:
    """What the preloaded library reads; see faults.c."""

    FIELDS = ("fail_from", "fail_many", "allocated", "clock", "resolver", "threads", "forks", "sockets",
              "passed", "held", "names")

    def __init__(self, workdir):
        self.path = workdir / "faults"
        self.path.write_bytes(bytes(8 * len(self.FIELDS)))
        self.path.chmod(0o666)
        with open(self.path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def set(self, **values):
        for name, value in values.items():
            struct.pack_into("q", self._map, 8 * self.FIELDS.index(name), value)

    def get(self, name):
        return struct.unpack_from("q", self._map, 8 * self.FIELDS.index(name))[0]

    def clear(self):
        self._map[:] = bytes(8 * len(self.FIELDS))
