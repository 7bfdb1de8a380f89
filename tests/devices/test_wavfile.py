from __future__ import annotations

import time
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from lsp_cam.devices.wavfile import FileSource, read_audio
from lsp_cam.errors import AudioError

from .media import noise, tone, write_audio, write_float_wav


def test_a_16_khz_float_file_comes_through_bit_for_bit(tmp_path: Path) -> None:
    speech = noise(1.3)
    assert np.array_equal(read_audio(write_float_wav(tmp_path / "a.wav", speech)), speech)
    np.save(tmp_path / "a.npy", speech)
    assert np.array_equal(read_audio(tmp_path / "a.npy"), speech)
    np.save(tmp_path / "b.npy", speech.astype(np.float64))
    assert np.array_equal(read_audio(str(tmp_path / "b.npy")), speech)


@pytest.mark.parametrize(
    ("codec", "sample_format", "scale", "offset", "dtype", "error"),
    [
        ("pcm_u8", "u8", 127, 128, np.uint8, 1 / 64),
        ("pcm_s16le", "s16", 32767, 0, np.int16, 1e-4),
        ("pcm_s24le", "s32", 2**31 - 1, 0, np.int32, 1e-6),
        ("pcm_s32le", "s32", 2**31 - 1, 0, np.int32, 1e-6),
        ("pcm_f64le", "dbl", 1, 0, np.float64, 0),
    ],
)
def test_sample_types(
    tmp_path: Path, codec: str, sample_format: str, scale: float, offset: float, dtype: type, error: float
) -> None:
    speech = tone(0.5)
    held = (speech.astype(np.float64) * scale + offset).astype(dtype)[None]
    path = write_audio(tmp_path / "a.wav", held, 16_000, codec=codec, sample_format=sample_format, layout="mono")
    assert np.abs(read_audio(path) - speech).max() <= error


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_any_rate(tmp_path: Path, rate_hz: int) -> None:
    got = read_audio(write_float_wav(tmp_path / "a.wav", tone(1.0, rate_hz), rate_hz))
    assert len(got) == 16_000
    assert np.abs(got - tone(1.0))[400:-400].max() < 1e-3


def test_stereo_is_the_mean(tmp_path: Path) -> None:
    both = np.stack([tone(0.5), noise(0.5)])
    path = write_audio(tmp_path / "a.wav", both, 16_000, codec="pcm_f32le", sample_format="flt", layout="stereo")
    assert np.array_equal(read_audio(path), both.mean(0))


@pytest.mark.parametrize(("suffix", "codec", "sample_format"), [("wav", "pcm_f32le", "flt"), ("m4a", "aac", "fltp")])
def test_the_centre_of_5_1_is_heard_in_full_and_the_bass_channel_not(
    tmp_path: Path, suffix: str, codec: str, sample_format: str
) -> None:
    channels = np.zeros((6, 48_000), np.float32)
    channels[2] = tone(1.0, 48_000)
    channels[3] = tone(1.0, 48_000, 60.0)
    path = tmp_path / f"a.{suffix}"
    write_audio(path, channels, 48_000, codec=codec, sample_format=sample_format, layout="5.1")
    middle = read_audio(path)[4000:12_000]
    spectrum = np.abs(np.fft.rfft(middle)) / len(middle) * 2
    assert spectrum[220] == pytest.approx(0.5, abs=0.01)
    assert spectrum[30] < 0.01


@pytest.mark.parametrize("channels", [3, 5, 9, 16])
def test_odd_numbers_of_channels(tmp_path: Path, channels: int) -> None:
    speech = (np.repeat(tone(0.3)[:, None], channels, 1) * 32767).astype("<i2")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(speech.tobytes())
    got = read_audio(tmp_path / "a.wav")
    assert len(got) == 4800
    assert np.corrcoef(got, tone(0.3))[0, 1] > 0.9999


@pytest.mark.parametrize(
    ("name", "codec", "sample_format", "rate_hz"),
    [
        ("a.mp3", "mp3", "fltp", 44_100),
        ("a.ogg", "libopus", "flt", 48_000),
        ("a.flac", "flac", "s16", 44_100),
        ("a.mp4", "aac", "fltp", 44_100),
        ("a.mkv", "aac", "fltp", 48_000),
    ],
)
def test_formats(tmp_path: Path, name: str, codec: str, sample_format: str, rate_hz: int) -> None:
    sound = tone(2.0, rate_hz)[None]
    if sample_format == "s16":
        sound = (sound * 32767).astype(np.int16)
    path = write_audio(tmp_path / name, sound, rate_hz, codec=codec, sample_format=sample_format, layout="mono")
    got = read_audio(path)
    assert len(got) / 16_000 == pytest.approx(2.0, abs=0.1)
    assert np.abs(np.fft.rfft(got[8000:24_000])).argmax() == 440


def test_a_wav_from_a_pipe_has_no_length_in_its_header(tmp_path: Path) -> None:
    data = bytearray(write_float_wav(tmp_path / "a.wav", tone(1.0)).read_bytes())
    data[4:8] = b"\xff\xff\xff\xff"
    (tmp_path / "b.wav").write_bytes(data)
    assert np.array_equal(read_audio(tmp_path / "b.wav"), tone(1.0))


def bad_files(folder: Path) -> dict[str, str]:
    """Names of unusable files, made in `folder`, and what is said of them."""
    good = write_float_wav(folder / "good.wav", tone(1.0)).read_bytes()
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.wav").write_text("hello " * 500)
    (folder / "random.wav").write_bytes(np.random.default_rng(0).bytes(9000))
    (folder / "header.wav").write_bytes(good[:20])
    (folder / "cut.wav").write_bytes(good[: len(good) // 2])
    (folder / "folder.wav").mkdir()
    for name, bad in (("nan", np.nan), ("inf", np.inf)):
        speech = tone(0.1)
        speech[7] = bad
        write_float_wav(folder / f"{name}.wav", speech)
        np.save(folder / f"{name}.npy", speech)
    with wave.open(str(folder / "zero.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
    (folder / "list.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{folder}/good.wav\n")
    (folder / "list.ffconcat").write_text("ffconcat version 1.0\nfile good.wav\n")
    np.save(folder / "none.npy", np.zeros(0, np.float32))
    np.save(folder / "int.npy", np.zeros(5, np.int16))
    np.save(folder / "square.npy", np.zeros((4, 4), np.float32))
    np.save(folder / "loud.npy", np.full(9, 12_345.0, np.float32))
    np.save(folder / "pickle.npy", np.array([{}], object), allow_pickle=True)
    (folder / "torn.npy").write_bytes(b"\x93NUMPY")
    with (folder / "huge.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**15,)})
    return {
        "missing.wav": "There is no file",
        "http://127.0.0.1/a.wav": "There is no file",
        "empty.wav": "0 bytes",
        "folder.wav": "is a folder",
        "text.wav": "cannot be decoded",
        "random.wav": "cannot be decoded",
        "header.wav": "cannot be decoded",
        "cut.wav": r"breaks off at 0\.5 s",
        "nan.wav": "not numbers",
        "inf.wav": "not numbers",
        "nan.npy": "not numbers",
        "inf.npy": "not numbers",
        "zero.wav": "no samples",
        "list.m3u8": "cannot be decoded",
        "list.ffconcat": "cannot be decoded",
        "none.npy": "no samples",
        "int.npy": "one row of floats",
        "square.npy": "one row of floats",
        "loud.npy": "up to 12345",
        "pickle.npy": "numpy.save",
        "torn.npy": "numpy.save",
        "huge.npy": "numpy.save",
    }


def test_bad_files_are_refused_with_a_remedy(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name, said in bad_files(tmp_path).items():
        with pytest.raises(AudioError, match=said) as raised:
            read_audio(name if name.startswith("http") else tmp_path / name)
        assert str(raised.value).endswith((".", "numpy.save.")), name
    with pytest.raises(AudioError, match="not an ordinary file"):
        read_audio("/dev/zero")
    assert capfd.readouterr() == ("", "")


def test_a_video_without_sound(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=30)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        file.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        file.mux(stream.encode(None))
    with pytest.raises(AudioError, match="no sound in it"):
        read_audio(tmp_path / "a.mp4")


@pytest.mark.parametrize("name", ["a.flac", "a.wav"])
def test_a_file_that_breaks_off_can_be_used_as_far_as_it_goes(tmp_path: Path, name: str) -> None:
    codec = "flac" if name == "a.flac" else "pcm_s16le"
    sound = (noise(4.0) * 32767).astype(np.int16)[None]
    data = write_audio(tmp_path / name, sound, 16_000, codec=codec, sample_format="s16", layout="mono").read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(AudioError, match="breaks off at"):
        read_audio(tmp_path / name)
    assert 1.5 < len(read_audio(tmp_path / name, partial=True)) / 16_000 < 2.1


def test_damage_in_the_middle(tmp_path: Path) -> None:
    sound = noise(4.0)[None]
    path = write_audio(tmp_path / "a.m4a", sound, 16_000, codec="aac", sample_format="fltp", layout="mono")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 2000] = np.random.default_rng(0).bytes(2000)
    path.write_bytes(data)
    with pytest.raises(AudioError, match=r"is damaged at \d\.\d s"):
        read_audio(path)
    assert len(read_audio(path, partial=True)) > 16_000


def test_absurdly_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsp_cam.devices.wavfile.MAX_HOURS", 1 / 3600)
    with pytest.raises(AudioError, match="longer than"):
        read_audio(write_float_wav(tmp_path / "a.wav", tone(1.2)))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_float_wav(tmp_path / "a.wav", tone(0.1))

    def refuse(*_: object) -> None:  # file modes do not stop root, who runs the tests in containers
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioError, match="permissions"):
        read_audio(path)


def test_a_file_plays_once(tmp_path: Path) -> None:
    speech = noise(0.255)
    with FileSource.open(write_float_wav(tmp_path / "a.wav", speech), loop=False, speed=None) as source:
        assert source.name == str(tmp_path / "a.wav")
        got = []
        while source.state == "live":
            block = source.read(1.0)
            assert block is not None
            got.append(block.samples)
        assert source.read(1.0) is None
        assert source.state == "ended"
    assert [len(s) for s in got] == [160] * 25 + [80]
    assert np.array_equal(np.concatenate(got), speech)


def test_a_file_plays_again_and_again_after_a_pause() -> None:
    source = FileSource(np.arange(1, 101, dtype=np.float32) / 100, pause_s=50 / 16_000, speed=None)
    got = np.concatenate([b.samples for b in (source.read(1.0) for _ in range(5)) if b is not None])
    once = np.concatenate([np.arange(1, 101, dtype=np.float32) / 100, np.zeros(50, np.float32)])
    assert np.array_equal(got, np.tile(once, 6)[:800])
    source.close()
    assert source.read(0.0) is None


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_a_file_plays_in_real_time(speed: float) -> None:
    source = FileSource(noise(5.0), speed=speed)
    started_s = time.monotonic()
    blocks = [source.read(1.0) for _ in range(60)]
    took_s = time.monotonic() - started_s
    times = [b.captured_s for b in blocks if b is not None]
    assert len(times) == 60
    assert np.diff(times) == pytest.approx(0.01 / speed, abs=1e-6)
    assert 0.6 / speed <= took_s + 0.001
    assert time.monotonic() >= times[-1]
    assert source.overflows == 0


def test_no_block_before_its_time_and_none_lost_by_asking() -> None:
    source = FileSource(noise(1.0), speed=0.05)
    assert source.read(0.0) is None
    assert source.read(0.01) is None
    block = source.read(1.0)
    assert block is not None
    assert np.array_equal(block.samples, noise(1.0)[:160])


def test_a_reader_that_sleeps_loses_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    source = FileSource(noise(20.0))
    assert source.read(1.0) is not None
    now[0] += 1.5
    late = source.read(1.0)
    assert late is not None
    assert not late.gap
    now[0] += 10.0
    later = source.read(1.0)
    assert later is not None
    assert later.gap
    assert source.overflows == 1
    assert later.captured_s == pytest.approx(now[0], abs=0.02)
    assert np.array_equal(later.samples, noise(20.0)[round((later.captured_s - 100) * 16_000) - 160 :][:160])
