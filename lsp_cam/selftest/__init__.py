"""A click and a flash through the real devices, heard and seen back: does the picture come, and does the voice fit?"""
