"""What lsp-cam needs of a Linux system, put there with the user's consent, and taken away again."""
