"""Which messages of a recording make one scene: one coordinate frame, one clock, no lap of a loop. Needs no ROS.

A scene is one stretch of time. Recordings hold more than that: stamps of zero from before /clock began, a bag that was
looped while it was recorded, the first messages of another frame, one stamp that is ahead of all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from trajnet.errors import InputError
from trajnet.tracking.frame_clock import RISING_FRAMES, FrameClock

#: A stamp that goes back by more begins another stretch; the node's clock_reset_s.
RESET_JUMP_NS = 1_000_000_000
#: So does a gap of this length: a replay would wait for as long, and every track is forgotten.
MAX_GAP_NS = 60_000_000_000
#: So few messages that are ahead of the ones after them are stamped wrongly, and no stretch of their own.
MAX_AHEAD = 2


@dataclass
class Stretches:
    """The messages that are kept, and how many are not, by reason.

    kept: indices into the recording, by stamp. left_out, mended: reasons and counts.
    """

    kept: list[int]
    left_out: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)


def choose_messages(stamps_ns: Sequence[int], frame_ids: Sequence[str], frame_id: str) -> Stretches:
    """Return the longest stretch of messages in the frame, of several as long the first.

    stamps_ns, frame_ids: of all messages in the order of the recording. frame_id: the frame that is wanted; a message
    without one is taken to be in it. Raises InputError where no message is in it or none has a stamp.
    """
    found = Stretches([])
    rows = _in_frame(frame_ids, frame_id, found)
    rows = _with_stamp(rows, stamps_ns, found)
    stretches = _split(rows, stamps_ns, found)
    kept = max(stretches, key=len)
    others = sum(len(s) for s in stretches) - len(kept)
    if others:
        reason = f"of {len(stretches) - 1} other stretch(es) of time: laps of a loop, or more than 60 s apart"
        found.left_out[reason] = others
    found.kept = sorted(kept, key=lambda i: stamps_ns[i])
    found.mended["out of order: sorted"] = sum(a != b for a, b in zip(found.kept, kept, strict=True))
    return found


def _in_frame(frame_ids: Sequence[str], frame_id: str, found: Stretches) -> list[int]:
    rows = [i for i, one in enumerate(frame_ids) if one in (frame_id, "")]
    if not rows:
        got = ", ".join(f"{name!r} ({count} messages)" for name, count in Counter(frame_ids).most_common(5))
        raise InputError(
            f"expected objects in the frame {frame_id!r}, got {got}; in a frame that moves with the vehicle "
            "what stands seems to drive: transform the objects, or name a frame that stands still "
            "(trajnet bag import --frame-id)"
        )
    found.left_out[f"in another frame than {frame_id!r}"] = len(frame_ids) - len(rows)
    return rows


def _with_stamp(rows: list[int], stamps_ns: Sequence[int], found: Stretches) -> list[int]:
    """Leave out stamps of zero, unless the recording begins there: they are from before the clock began."""
    stamped = [i for i in rows if stamps_ns[i] != 0]
    if not stamped and len(rows) > 1:
        raise InputError(f"expected stamps, got {len(rows)} messages that are all stamped zero")
    if not stamped or min(stamps_ns[i] for i in stamped) <= MAX_GAP_NS:
        return rows
    found.left_out["stamped zero, before the clock began"] = len(rows) - len(stamped)
    return stamped


def _split(rows: list[int], stamps_ns: Sequence[int], found: Stretches) -> list[list[int]]:
    """Return the stretches, each in the order of the recording."""
    clock = FrameClock(RESET_JUMP_NS)
    stretches: list[list[int]] = [[]]
    older: list[int] = []  # the last messages in a row that are out of order: a new stretch's first, if they go on
    for row in rows:
        stamp_ns, newest_ns = stamps_ns[row], clock.newest_ns
        judged = clock.judge(stamp_ns)
        if judged == "clock_reset":
            first = older[len(older) - clock.already_dropped :]
            stretches[-1] = [one for one in stretches[-1] if one not in first]
            _begin_again(stretches, [*first, row], stamps_ns, found)
        elif judged == "newer" and newest_ns is not None and stamp_ns - newest_ns > MAX_GAP_NS:
            stretches.append([row])
        else:
            stretches[-1].append(row)
        older = [*older, row][-RISING_FRAMES:] if judged in ("duplicate", "out_of_order") else []
    return [_without_doubles(stretch, stamps_ns, found) for stretch in stretches if stretch]


def _begin_again(stretches: list[list[int]], rows: list[int], stamps_ns: Sequence[int], found: Stretches) -> None:
    """Begin a stretch with these rows, or go on with the last one where a few messages were stamped ahead."""
    first_ns = stamps_ns[rows[0]]
    if len(stretches) > 1 and len(stretches[-1]) <= MAX_AHEAD:
        last_ns = max(stamps_ns[i] for i in stretches[-2])
        if 0 < first_ns - last_ns <= MAX_GAP_NS:
            found.left_out["stamped ahead of those around them"] += len(stretches.pop())
            stretches[-1].extend(rows)
            return
    ahead = [i for i in stretches[-1] if stamps_ns[i] >= first_ns]
    if len(ahead) <= MAX_AHEAD and len(stretches[-1]) > len(ahead):
        found.left_out["stamped ahead of those around them"] += len(ahead)
        stretches[-1] = [i for i in stretches[-1] if stamps_ns[i] < first_ns] + rows
        return
    stretches.append(rows)


def _without_doubles(stretch: list[int], stamps_ns: Sequence[int], found: Stretches) -> list[int]:
    """Keep the first message of each stamp."""
    first: dict[int, int] = {}
    for row in stretch:
        first.setdefault(stamps_ns[row], row)
    found.left_out["with a stamp that another message has"] += len(stretch) - len(first)
    return list(first.values())
