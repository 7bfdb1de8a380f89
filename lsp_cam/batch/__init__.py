"""A library of recordings, dubbed by many workers: on Ray, or by processes of our own."""
