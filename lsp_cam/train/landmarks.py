"""Names for parts of the 73 points that only training needs; the rest is in `lsp_cam.stages.landmarks`."""

CONTOUR = tuple(range(15))
BROW_RIGHT, BROW_LEFT = tuple(range(15, 21)), tuple(range(21, 27))
EYE_RIGHT = (27, 65, 28, 68, 29, 67, 30, 66)  # rings, from the corner on the picture's left over the upper lid
EYE_LEFT = (33, 69, 32, 72, 31, 71, 34, 70)
NOSE = tuple(range(35, 44))
PUPILS = (44, 45)
LIPS_OUTER = tuple(range(46, 58))
NOSE_TIP = 64
EYES_AND_BROWS = (*BROW_RIGHT, *BROW_LEFT, *sorted(EYE_RIGHT), *sorted(EYE_LEFT))
"""Points that come from the tracked sequence, not from speech."""
STEADY = (*CONTOUR, *NOSE, *BROW_RIGHT, *BROW_LEFT)
"""Points that tell how the head has moved."""
