"""Every error that the program raises on purpose; each message says what is wrong and what to do.

    LspCamError                 anything below; `exit_code` is what the command line returns
    ├── UsageError              the request cannot be met as asked (a bad option, a wrong combination)
    ├── AudioError              speech that cannot be read or used
    ├── SubjectError            something about a subject
    │   ├── SubjectNotFound     no such subject in the store
    │   ├── BundleError         a bundle that is damaged, unsafe, of a newer format, or incomplete
    │   ├── ConsentError        the person shown has not agreed (to this), or does no longer
    │   └── SignerError         a bundle that somebody else signed than before
    ├── ModelError              a network that does not load or does not fit its stage
    ├── DeviceError             a microphone, camera, file or page that cannot be used
    │   └── DeviceLost          a device that went away while it was in use
    ├── DaemonError             the daemon is not there, is there already, or refuses
    ├── CallError               a call that does not come about, or what the other side sends
    └── MissingExtra            an optional part of the installation is needed

Errors of foreign libraries are translated into these once, at the border.
"""

from __future__ import annotations


class LspCamError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 1


class UsageError(LspCamError):
    """The request cannot be met as asked."""

    exit_code = 2


class AudioError(LspCamError):
    """Speech that cannot be read or used."""


class SubjectError(LspCamError):
    """Something about a subject."""


class SubjectNotFound(SubjectError):
    """No such subject in the store."""


class BundleError(SubjectError):
    """A bundle that is damaged, unsafe, of a newer format, or incomplete."""


class ConsentError(SubjectError):
    """The person shown has not agreed, not to this use, or not any more."""


class SignerError(SubjectError):
    """A bundle that somebody else signed than before."""


class ModelError(LspCamError):
    """A network that does not load or does not fit its stage."""


class DeviceError(LspCamError):
    """A device that cannot be used."""


class DeviceLost(DeviceError):
    """A device that went away while it was in use."""


class DaemonError(LspCamError):
    """The daemon is not there, is there already, or refuses."""


class CallError(LspCamError):
    """A call that does not come about, or something of the other side's that cannot be used."""


class MissingExtra(LspCamError):
    """An optional part of the installation is needed."""
