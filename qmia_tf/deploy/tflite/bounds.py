"""Every index, size and offset of a .tflite file, before LiteRT reads it.

LiteRT checks that a file is a flatbuffer, but follows many of the indices in
it unchecked. The fields are numbered as in TFLite's schema.fbs. Needs Python
alone.
"""

import math
import struct
from collections.abc import Iterator

from qmia_tf.errors import FileFailure

# Bits of an element, by TensorType; others have no fixed size.
BITS = {
    **{0: 32, 1: 16, 2: 32, 3: 8, 4: 64, 6: 8, 7: 16, 8: 64, 9: 8, 10: 64},
    **{11: 128, 12: 64, 15: 32, 16: 16, 17: 4, 18: 16, 19: 2, 20: 4},
}
MOST_BYTES = 2**40
# Operator -> slots of its options that name subgraphs: CALL, IF, WHILE and
# CALL_ONCE.
SUBGRAPHS = {31: (0,), 118: (0, 1), 119: (0, 1), 129: (0,)}
NONE = -1
MOST_NAME = 40


def check(content: bytes, path) -> None:
    """Checks a .tflite file whole.

    Raises: FileFailure that names what is out of bounds, and where.
    """
    try:
        _Model(content).check()
    except (_Damage, struct.error) as error:
        raise FileFailure(
            f"{path} cannot be run by LiteRT: it is damaged or cut off "
            f"({error}): export it again"
        ) from None


class _Damage(Exception):
    pass


class _Table:
    """A table of a flatbuffer; nothing outside of the file is read."""

    def __init__(self, content, place):
        self._content, self.place = content, place
        vtable = place - self._number("<i", place)
        self._slots = self._number("<H", vtable) // 2 - 2
        self._vtable = vtable

    def number(self, slot: int, kind: str, default: int = 0) -> int:
        place = self._field(slot)
        return default if place is None else self._number(f"<{kind}", place)

    def numbers(self, slot: int, kind: str) -> tuple:
        """The vector of numbers in a slot; () if there is none."""
        place, count = self._vector(slot, struct.calcsize(f"<{kind}"))
        return struct.unpack_from(f"<{count}{kind}", self._content, place)

    def bytes_in(self, slot: int) -> int:
        """How many bytes the vector in a slot holds."""
        return self._vector(slot, 1)[1]

    def text(self, slot: int) -> str:
        place, count = self._vector(slot, 1)
        text = bytes(self._content[place : place + min(count, MOST_NAME)])
        return text.decode(errors="replace")

    def table(self, slot: int) -> "_Table | None":
        place = self._field(slot)
        if place is None:
            return None
        return _Table(self._content, place + self._number("<I", place))

    def tables(self, slot: int) -> "Iterator[_Table]":
        place, count = self._vector(slot, 4)
        for entry in range(place, place + 4 * count, 4):
            yield _Table(self._content, entry + self._number("<I", entry))

    def count(self, slot: int) -> int:
        return self._vector(slot, 4)[1]

    def _vector(self, slot, size):
        place = self._field(slot)
        if place is None:
            return 0, 0
        place += self._number("<I", place)
        count = self._number("<I", place)
        if place + 4 + count * size > len(self._content):
            raise _Damage(f"{count} entries at byte {place} do not fit")
        return place + 4, count

    def _field(self, slot):
        """Where a field lies; None if it is not there."""
        if slot >= self._slots:
            return None
        offset = self._number("<H", self._vtable + 4 + 2 * slot)
        return self.place + offset if offset else None

    def _number(self, kind, place):
        if not 0 <= place <= len(self._content) - struct.calcsize(kind):
            raise _Damage(
                f"an offset points to byte {place} of {len(self._content)}"
            )
        return struct.unpack_from(kind, self._content, place)[0]


class _Model:
    def __init__(self, content):
        self._content = content
        self._root = _Table(content, struct.unpack_from("<I", content)[0])
        self._graphs = list(self._root.tables(2))
        self._codes = [
            max(code.number(0, "b"), code.number(3, "i"))
            for code in self._root.tables(1)
        ]
        self._buffer_sizes = [
            self._buffer_size(index, buffer)
            for index, buffer in enumerate(self._root.tables(4))
        ]
        # Several may be one table: each is checked once.
        self._checked = set()

    def check(self):
        if not self._graphs:
            raise _Damage("it has no subgraph")
        for index, graph in enumerate(self._graphs):
            if self._is_new(graph):
                self._check_graph(f"subgraph {index}", graph)
        buffers = len(self._buffer_sizes)
        for entry in self._root.tables(6):
            _require_index(
                "metadata: its buffer", entry.number(1, "I"), buffers
            )
        for signature in self._root.tables(7):
            self._check_signature(signature)

    def _is_new(self, *tables):
        key = tuple(table.place for table in tables)
        is_new = key not in self._checked
        self._checked.add(key)
        return is_new

    def _buffer_size(self, index, buffer):
        offset, size = buffer.number(1, "Q"), buffer.number(2, "Q")
        # Of more than 2 GB, behind the flatbuffer; 1 is a placeholder.
        if offset <= 1:
            return buffer.bytes_in(0)
        if offset + size > len(self._content):
            raise _Damage(
                f"buffer {index} ends at byte {offset + size} of "
                f"{len(self._content)}"
            )
        return size

    def _check_signature(self, signature):
        what = f"signature {signature.text(2)!r}"
        index = signature.number(4, "I")
        _require_index(f"{what}: its subgraph", index, len(self._graphs))
        count = self._graphs[index].count(0)
        for slot in (0, 1):
            for port in signature.tables(slot):
                tensor = port.number(1, "I")
                _require_index(f"{what}: a tensor", tensor, count)

    def _check_graph(self, what, graph):
        tensors = list(graph.tables(0))
        for index, tensor in enumerate(tensors):
            if self._is_new(tensor):
                name = f"{what}, tensor {index} {tensor.text(3)!r}"
                self._check_tensor(name, tensor)
        for slot, end in ((1, "an input"), (2, "an output")):
            for index in graph.numbers(slot, "i"):
                _require_index(f"{what}: {end}", index, len(tensors))
        for index, op in enumerate(graph.tables(3)):
            if self._is_new(graph, op):
                self._check_op(f"{what}, op {index}", op, len(tensors))

    def _check_op(self, what, op, tensors):
        code = op.number(0, "I")
        _require_index(f"{what}: its operator code", code, len(self._codes))
        for slot, end, least in (
            (1, "an input", NONE),
            (2, "an output", 0),
            (8, "an intermediate", NONE),
        ):
            for index in op.numbers(slot, "i"):
                _require_index(f"{what}: {end}", index, tensors, least=least)
        # Only others may be left out.
        for index in op.numbers(1, "i")[:1]:
            _require_index(f"{what}: its first input", index, tensors)
        slots = SUBGRAPHS.get(self._codes[code], ())
        options = op.table(4) if slots else None
        for slot in slots if options else ():
            index = options.number(slot, "i")
            _require_index(f"{what}: its subgraph", index, len(self._graphs))

    def _check_tensor(self, what, tensor):
        buffer = tensor.number(2, "I")
        sizes = self._buffer_sizes
        _require_index(f"{what}: its buffer", buffer, len(sizes))
        shape = tensor.numbers(0, "i")
        signature = tensor.numbers(7, "i")
        if signature and len(signature) != len(shape):
            raise _Damage(
                f"{what}: its shape is {list(shape)} and its shape signature "
                f"{list(signature)}"
            )
        least = 0 if sizes[buffer] else NONE
        if min((*shape, *signature, 0)) < NONE or min((*shape, 0)) < least:
            raise _Damage(f"{what}: its shape is {list(shape)}")
        bits = BITS.get(tensor.number(1, "b"))
        if bits:
            size = math.ceil(math.prod(map(abs, shape)) * bits / 8)
            self._check_size(what, size, sizes[buffer], tensor, shape)
        quantization = tensor.table(4)
        if quantization is not None:
            _check_quantization(what, quantization, shape)

    @staticmethod
    def _check_size(what, size, stored, tensor, shape):
        is_sparse = tensor.table(6) is not None
        if stored and stored != size and not is_sparse:
            raise _Damage(
                f"{what}: its shape {list(shape)} needs {size} bytes, and its "
                f"buffer holds {stored}"
            )
        if size > MOST_BYTES:
            raise _Damage(f"{what}: its shape {list(shape)} is {size} bytes")


def _check_quantization(what, quantization, shape):
    scales = len(quantization.numbers(2, "f"))
    zeros = len(quantization.numbers(3, "q"))
    # Further details are of custom or blockwise quantization.
    if quantization.number(4, "B") or not scales:
        return
    if zeros != scales:
        raise _Damage(
            f"{what}: its quantization has {scales} scales and {zeros} zero "
            "points"
        )
    if scales == 1:
        return
    axis = quantization.number(6, "i")
    _require_index(f"{what}: its quantized axis", axis, len(shape))
    if scales != shape[axis]:
        raise _Damage(
            f"{what}: its quantization has {scales} scales for "
            f"{shape[axis]} channels"
        )


def _require_index(what, index, count, *, least=0):
    if not least <= index < count:
        raise _Damage(f"{what} is number {index}, and there are {count}")
