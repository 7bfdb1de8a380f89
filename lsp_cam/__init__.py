"""lsp-cam: a webcam that you speak into."""

__version__ = "0.1.0"
