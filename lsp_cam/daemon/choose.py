"""Who and what takes part in a start: subject, engine, microphone, camera; and what `auto` could not find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..assets import sample_speech
from ..backends.base import Engine
from ..backends.choose import open_engine
from ..config import RunSettings
from ..devices.base import AudioSink, AudioSource, FrameSink
from ..devices.microphone import Microphone
from ..devices.monitor import Monitor, is_monitor
from ..devices.null import NullSink
from ..devices.pipewirecam import PipewireCamera, check_pipewire
from ..devices.videofile import VideoFileSink
from ..devices.virtualcam import VirtualCamera, check_camera
from ..devices.virtualmic import virtual_microphone
from ..devices.wavfile import FileSource, read_audio
from ..errors import DeviceError
from ..store import Store
from ..subject import Subject
from ..trust.consent import Use
from ..trust.credentials import Seal
from ..trust.permission import permit
from .core import Daemon
from .options import AUTO, NONE, PIPEWIRE, PREVIEW, SAMPLE, StartOptions, is_audio_file, is_video_file

PAUSE_S = 1.5
TAIL_S = 0.8  # of silence, in which the last word is seen and heard


@dataclass(frozen=True)
class Cast:
    """`open_source` opens the microphone; `notices` say what is missing, what stands in, and how to get it.

    `consent`: who is shown, and by whose leave; `use`: what for. `begun` is called with the daemon when it is on air.
    """

    subject: Subject
    engine: Engine
    open_source: Callable[[], AudioSource]
    camera: FrameSink | None
    camera_is_device: bool
    voice: AudioSink | None
    notices: tuple[str, ...]
    consent: str
    use: Use = "live"
    begun: Callable[[Daemon], None] = lambda daemon: None


def open_microphone(device: str) -> AudioSource:
    """The microphone of that number or name, the default one (`auto`), or the sample speech (`sample`); no file.

    Raises DeviceError.
    """
    if device == SAMPLE:
        return _sample(loop=True)()
    return _microphone(device)


def open_camera(camera: str, layout: str) -> FrameSink | None:
    """The virtual camera of that name, a free one (`auto`), PipeWire's, or none (`preview`); no file.

    `layout`: of its pixels, or `auto`. Raises DeviceError.
    """
    if camera == PREVIEW:
        return None
    if camera == PIPEWIRE:
        check_pipewire()
        return PipewireCamera()
    wanted = None if camera == AUTO else camera
    check_camera(wanted)
    return _virtual(wanted, layout)


def choose(options: StartOptions, store: Store) -> Cast:
    """Find everything that was asked for. Raises the error of the first thing that is not there."""
    settings = options.settings
    subject = store.get(settings.subject) if settings.subject else store.default()
    consent = permit(subject, "live", waived=options.waived)
    open_source, unheard = choose_microphone(settings.mic, options.loop)
    camera, is_device, unseen = choose_camera(settings, subject)
    # What loudspeakers play is somebody else's voice: it is not said back to them unless that is asked for.
    mic_out = NONE if is_monitor(settings.mic) and settings.mic_out == AUTO else settings.mic_out
    voice, unspoken = _voice(mic_out)
    engine = open_engine(settings.engine or AUTO, settings.threads, shared=True)
    return Cast(subject, engine, open_source, camera, is_device, voice, (*unheard, *unseen, *unspoken), consent)


def choose_microphone(mic: str, loop: bool) -> tuple[Callable[[], AudioSource], tuple[str, ...]]:
    """How to open the microphone (or the file that plays as one), and what is missing."""
    if is_audio_file(mic):
        return _file(mic, loop), ()
    try:
        _microphone(mic).close()  # whether it opens; it is opened again when somebody listens
    except DeviceError as error:
        if mic != AUTO:
            raise
        notice = f"No microphone: a sample of speech plays instead. {error} `lsp-cam doctor` tells more."
        return _sample(loop), (notice,)
    return lambda: _microphone(mic), ()


def _microphone(device: str) -> Microphone:
    if is_monitor(device):
        return Monitor(device)
    return Microphone(None if device == AUTO else device)


def _sample(loop: bool) -> Callable[[], AudioSource]:
    return _file(str(sample_speech()), loop, "a sample of speech")


def _file(path: str, loop: bool, name: str | None = None) -> Callable[[], AudioSource]:
    samples = read_audio(path)
    return lambda: FileSource(samples, name or path, loop=loop, pause_s=PAUSE_S if loop else TAIL_S)


def _voice(mic_out: str) -> tuple[AudioSink | None, tuple[str, ...]]:
    """The virtual microphone, and what is missing."""
    if mic_out == NONE:
        return None, ()
    try:
        return virtual_microphone(), ()
    except DeviceError as error:
        if mic_out != AUTO:
            raise
        return None, (f"No virtual microphone: others will hear you before they see you speak. {error}",)


def choose_camera(settings: RunSettings, subject: Subject) -> tuple[FrameSink | None, bool, tuple[str, ...]]:
    """The camera, whether it is a device, and what is missing."""
    camera = settings.camera
    if camera == PREVIEW:
        return None, False, ()
    if camera == NONE:
        return NullSink(), False, ()
    if camera == PIPEWIRE:
        check_pipewire()
        return PipewireCamera(), True, ()
    if is_video_file(camera):
        return VideoFileSink(camera, seal=Seal(subject)), False, ()
    wanted = None if camera == AUTO else camera
    try:
        check_camera(wanted)
    except DeviceError as error:
        if camera != AUTO:
            raise
        return None, False, (f"No virtual camera: the portrait shows on the preview page only. {error}",)
    return _virtual(wanted, settings.camera_format), True, ()


def _virtual(wanted: str | None, layout: str) -> VirtualCamera:
    return VirtualCamera(wanted, layout=None if layout == AUTO else layout)
