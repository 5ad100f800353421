"""Membership decisions of an attack: a bit a record, as text in audit.json.

With them two audits of the same records can be compared record by record,
which distinguishes smaller changes from chance than their rates alone.
"""

import base64
import binascii
import dataclasses

import numpy as np

from qmia_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class MembershipDecisions:
    """Which of the evaluated records an attack calls members.

    Attributes:
        members: of the evaluated members, by record id, packed.
        nonmembers: of the evaluated nonmembers, likewise.
    """

    members: str
    nonmembers: str


def of_records(
    called: np.ndarray, members: np.ndarray, evaluated: np.ndarray
) -> MembershipDecisions:
    """Packs the membership decisions of an attack.

    Args:
        called: bool [N], the decisions, in record order.
        evaluated: bool [N], the records that count.
    """
    return MembershipDecisions(
        pack(called[evaluated & members]), pack(called[evaluated & ~members])
    )


def pack(bits) -> str:
    """Packs bool [N] into base64, the first bit highest."""
    return base64.b64encode(np.packbits(bits).tobytes()).decode()


def unpack(text, count) -> np.ndarray:
    """Unpacks bool [count].

    Raises: InputError if the text does not hold so many bits.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = None
    if data is None or len(data) != -(-count // 8):
        raise InputError(
            f"membership_decisions of audit.json do not hold {count} bits: "
            "the file is damaged: attack the run again with qmia attack"
        )
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count)
    return bits.astype(bool)
