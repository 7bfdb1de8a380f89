"""The 73 points: which of them is what, and the lines drawn through them (section 3.4)."""

CONTOUR = tuple(range(15))
BROW_RIGHT, BROW_LEFT = tuple(range(15, 21)), tuple(range(21, 27))
EYE_RIGHT = (27, 65, 28, 68, 29, 67, 30, 66)
EYE_LEFT = (33, 69, 32, 72, 31, 71, 34, 70)
NOSE = tuple(range(35, 44))
PUPILS = (44, 45)
LIPS_OUTER = tuple(range(46, 58))
LIPS_INNER_UPPER, LIPS_INNER_LOWER = (63, 62, 61), (58, 59, 60)
NOSE_TIP = 64
POINTS = 73

MOUTH_RELATED = (*range(4, 11), *range(46, 64))  # what the mouth network moves, in its output order
LIPS = tuple(range(46, 64))  # what of it is drawn
EYES_AND_BROWS = (*BROW_RIGHT, *BROW_LEFT, *sorted(EYE_RIGHT), *sorted(EYE_LEFT))

LINES = (
    CONTOUR,
    (15, 16, 17, 18, 18, 19, 20, 15),
    (21, 22, 23, 24, 24, 25, 26, 21),
    NOSE,
    (27, 65, 28, 68, 29),
    (29, 67, 30, 66, 27),
    (33, 69, 32, 72, 31),
    (31, 71, 34, 70, 33),
    (46, 47, 48, 49, 50, 51, 52),
    (52, 53, 54, 55, 56, 57, 46),
    (46, 63, 62, 61, 52),
    (52, 60, 59, 58, 46),
)
SHOULDER_LINES = (tuple(range(9)), tuple(range(9, 18)))
