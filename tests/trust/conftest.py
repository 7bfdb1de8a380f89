"""The home and the command line of the commands' own tests."""

from tests.cli.conftest import home, invoke

__all__ = ["home", "invoke"]
