"""The 73 points: which of them is what, and the lines drawn through them (section 3.4)."""

from __future__ import annotations

POINTS = 73
LIPS_OUTER_UPPER = tuple(range(47, 52))
LIPS_OUTER_LOWER = tuple(range(53, 58))
LIPS_INNER_UPPER, LIPS_INNER_LOWER = (63, 62, 61), (58, 59, 60)  # pairs: above, below
LIPS = tuple(range(46, 64))  # what of the mouth is drawn
MOUTH_UPPER = (*range(46, 53), 61, 62, 63)
MOUTH_LOWER = tuple(range(53, 61))
MOUTH_RELATED = (*range(4, 11), *LIPS)  # what the mouth network moves, in its output order
EYES = (*range(27, 35), *range(65, 73))
LIDS = ((28, 30), (32, 34))  # middle of the upper, of the lower lid

LINES = (
    tuple(range(15)),  # contour
    (15, 16, 17, 18, 18, 19, 20, 15),  # brows
    (21, 22, 23, 24, 24, 25, 26, 21),
    tuple(range(35, 44)),  # nose
    (27, 65, 28, 68, 29),  # eyes
    (29, 67, 30, 66, 27),
    (33, 69, 32, 72, 31),
    (31, 71, 34, 70, 33),
    tuple(range(46, 53)),  # lips
    (52, 53, 54, 55, 56, 57, 46),
    (46, 63, 62, 61, 52),
    (52, 60, 59, 58, 46),
)
SHOULDER_POINTS = 18
SHOULDER_LINES = (tuple(range(9)), tuple(range(9, 18)))
