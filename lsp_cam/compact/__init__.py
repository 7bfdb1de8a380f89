"""A subject made smaller for the line: the same files, whose numbers are rounded until they pack well.

`rounding` is what is done to numbers, `making` makes the bundle and finds how coarse it must be, `cost` says what that
does to the pictures, `kept` keeps the form that calls offer.
"""
