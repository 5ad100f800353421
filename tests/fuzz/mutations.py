"""What damages a file: strategies of Hypothesis, bytes -> damaged bytes."""

import copy
import io
import json
import struct
import zipfile

import numpy as np
from hypothesis import strategies as st

from qmia_tf.deploy.tflite import flatbuffer

DEEP = [0]
for _ in range(200):
    DEEP = [DEEP]
HOSTILE = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 2**64, 10**19),
    *(0.5, -0.5, 1e308, -1e308, 1e-320, "", "x", "3", "-1", "nan", "inf"),
    *("../x", "/dev/zero", "a\nb", "\x00", "\ud800", "é" * 300, "x" * 9999),
    *([], [0], [[]], ["x"], [None], {}, {"x": 1}, {"": None}, DEEP),
]
NAMES = ["", "x", "p9999999999", "z0", "p1", "label", "id", "__class__", "a b"]
CELLS = [
    *(
        "",
        "x",
        "-1",
        "0",
        "1",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "1e300",
        "9" * 5000,
    ),
    *("0.5", "1_0", "٣", '"', '"a', "\x00", "a\nb", "\ufeff", "true", "0,5"),
    *("p9999999999", "p" + "9" * 5000, "z1", "sep=;", "label", "id"),
]
HEADERS = [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (9, 999999999999), }",
    "{'descr': '<i8', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': '<U2000000000', 'fortran_order': False, 'shape': (), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
    "{'descr': [('a', '<f4')], 'fortran_order': True, 'shape': (2, 2), }",
    "{'descr': '<V0', 'fortran_order': False, 'shape': (2**9,), }",
    "{'descr': 'zz', 'fortran_order': 3, 'shape': 'x', }",
    "(" * 300,
]
ARRAYS = [
    *(np.zeros(0), np.zeros((0, 3)), np.array(0.5), np.array(3), np.array("x")),
    *(
        np.array(["x", "y"]),
        np.array([1 + 2j]),
        np.array([b"x"]),
        np.ones((1,) * 9),
    ),
    *(np.array([np.nan, np.inf]), np.array([2**64 - 1], np.uint64)),
    *(np.array("2020-01-01", "M8[D]"), np.zeros(2, [("a", "<f4")])),
    *(np.zeros((2, 2), bool), np.array([-1, 2**62]), np.array("{" * 3000)),
    np.array("[" * 90 + "]" * 90),
    np.array([0xD800], "<u4").view("<U1")[0:1],
    np.array([0x7FFFFFFF], "<u4").view("<U1").reshape(()),
]


@st.composite
def _damaged_bytes(draw, data):
    """Flips, cuts, doubles or fills some bytes."""
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(data) - 1)))
        length = draw(st.sampled_from((1, 1, 2, 8, 100)))
        new = draw(
            st.sampled_from((b"", b"\x00", b"\xff", b"9" * 25, b'"', b"-"))
            | st.binary(min_size=length, max_size=length)
        )
        data[start : start + length] = new
    return bytes(data)


def _places(tree, path=()):
    yield path
    items = tree.items() if isinstance(tree, dict) else ()
    items = enumerate(tree[:3]) if isinstance(tree, list) else items
    for key, value in items:
        yield from _places(value, (*path, key))


@st.composite
def damaged_tree(draw, tree):
    """Replaces, takes away, renames or doubles parts of a JSON tree."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 2))):
        *path, key = (None, *draw(st.sampled_from(list(_places(tree)))))
        parent = tree
        for step in path[1:]:
            parent = parent[step]
        value = copy.deepcopy(draw(st.sampled_from(HOSTILE)))
        action = draw(st.sampled_from(("set", "set", "delete", "add")))
        if key is None:
            if action == "set":
                return value
        elif action == "set":
            parent[key] = value
        elif action == "delete":
            del parent[key]
        elif isinstance(parent, dict):
            parent[draw(st.sampled_from(NAMES))] = value
        else:
            parent.insert(key, value)
        if not isinstance(tree, (dict, list)):
            return tree
    return tree


@st.composite
def _damaged_json(draw, data):
    if draw(st.integers(0, 3)) == 0:
        return draw(_damaged_bytes(data))
    try:
        tree = json.loads(data)
    # It was damaged before.
    except ValueError:
        return draw(_damaged_bytes(data))
    return json.dumps(draw(damaged_tree(tree))).encode()


@st.composite
def _damaged_csv(draw, data):
    if draw(st.integers(0, 3)) == 0:
        return draw(_damaged_bytes(data))
    lines = [line.split(",") for line in data.decode().splitlines()]
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.sampled_from((0, *range(len(lines)))))
        column = draw(st.integers(0, len(lines[row]) - 1))
        cell = draw(st.sampled_from(CELLS))
        if draw(st.booleans()):
            lines[row][column] = cell
        else:
            lines[row][column : column + draw(st.integers(0, 1))] = [cell]
    text = "\n".join(",".join(cells) for cells in lines)
    return text.encode(errors="surrogatepass")


def _packed(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@st.composite
def _damaged_npy(draw, data):
    action = draw(st.sampled_from(("array", "header", "bytes")))
    if action == "bytes":
        return draw(_damaged_bytes(data))
    if action == "array":
        file = io.BytesIO()
        np.save(file, draw(st.sampled_from(ARRAYS)))
        return file.getvalue()
    header = draw(st.sampled_from(HEADERS)).encode()
    size = len(header).to_bytes(2, "little")
    return b"\x93NUMPY\x01\x00" + size + header + data[128:]


def _damaged_zip(damaged_member):
    """A strategy of ZIP archives, some members damaged or missing.

    Args:
        damaged_member: of (name, content), a strategy of contents.
    """

    @st.composite
    def damaged_zip(draw, data):
        if draw(st.integers(0, 3)) == 0:
            return draw(_damaged_bytes(data))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        for _ in range(draw(st.integers(1, 2))):
            name = draw(st.sampled_from(sorted(members)))
            if draw(st.integers(0, 3)):
                members[name] = draw(damaged_member(name, members[name]))
            elif len(members) > 1:
                del members[name]
        return _packed(members)

    return damaged_zip


def _part_of_keras(name, content):
    is_json = name.endswith(".json")
    return (_damaged_json if is_json else _damaged_bytes)(content)


@st.composite
def _damaged_hdf5(draw, data):
    """Bytes anywhere, or in the text of the configuration."""
    start = data.find(b'{"module"')
    if start < 0 or draw(st.booleans()):
        return draw(_damaged_bytes(data))
    _, length = json.JSONDecoder().raw_decode(data[start:].decode("latin-1"))
    text = draw(_damaged_json(data[start : start + length]))
    # As long as before, so that all other places in the file hold.
    text = text[:length].ljust(length)
    return data[:start] + text + data[start + length :]


INDICES = (*(0, 1, -1, -2, 2, 7, 99, 127, 255, 2**15, -(2**15)),)
INDICES += (2**31 - 1, -(2**31), 2**32 - 1)


def _fields(table, path=()):
    """The places of a flatbuffer's objects: names and numbers of a path."""
    items = enumerate(table[:4]) if isinstance(table, list) else ()
    if hasattr(table, "__dict__"):
        items = vars(table).items()
    for key, value in items:
        yield (*path, key)
        yield from _fields(value, (*path, key))


@st.composite
def _damaged_tflite(draw, data):
    """Numbers, lists and tables of the flatbuffer, which stays one."""
    if draw(st.integers(0, 2)) == 0:
        return draw(_damaged_bytes(data))
    model = flatbuffer.unpack(data)
    for _ in range(draw(st.integers(1, 3))):
        *path, key = draw(st.sampled_from(list(_fields(model))))
        parent = model
        for step in path:
            parent = (
                parent[step] if isinstance(parent, list) else vars(parent)[step]
            )
        fields = parent if isinstance(parent, list) else vars(parent)
        value = fields[key]
        if isinstance(value, (list, np.ndarray)) and draw(st.booleans()):
            value = list(value)
            value = draw(
                st.sampled_from((value[:-1], value + value[-1:], [], None))
            )
        elif isinstance(value, (int, float, np.number)):
            value = draw(st.sampled_from(INDICES))
        else:
            value = draw(st.sampled_from((None, value)))
        fields[key] = value
    try:
        return flatbuffer.pack(model)
    # Not everything can be written.
    except (TypeError, ValueError, AttributeError, OverflowError, struct.error):
        return draw(_damaged_bytes(data))


BY_SUFFIX = {
    ".json": _damaged_json,
    ".csv": _damaged_csv,
    ".npz": _damaged_zip(lambda name, content: _damaged_npy(content)),
    ".npy": _damaged_npy,
    ".keras": _damaged_zip(_part_of_keras),
    ".h5": _damaged_hdf5,
    ".tflite": _damaged_tflite,
}


def damaged(data: bytes, suffix: str):
    """A strategy of damaged files of a kind that a suffix names."""
    return BY_SUFFIX[suffix](data)
