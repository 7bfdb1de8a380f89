"""Whose face it is, who says so, what a stranger's files may do, and how pictures tell what they are."""

WAIVER = "--i-have-the-right"  # the option by which a user answers for a consent that a bundle lacks
