"""Recordings and films, made by real encoders."""

import io
import struct
import wave

import av
import numpy as np
from av.stream import Disposition


def tone(seconds=0.5, rate=8000, channels=2):
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        samples = (8000 * np.sin(np.arange(int(seconds * rate)) / 5)).astype(np.int16)
        out.writeframes(np.repeat(samples, channels).tobytes())
    return file.getvalue()


def float_wav(samples, rate):
    """A WAV of 32-bit floating point; `samples` is (n, channels), in -1 to 1."""
    data, channels = samples.astype("<f4").tobytes(), samples.shape[1]
    form = struct.pack("<HHIIHH", 3, channels, rate, rate * 4 * channels, 4 * channels, 32)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def sound(format, codec, rate=48_000, seconds=1, silent=False):
    file = io.BytesIO()
    with av.open(file, "w", format=format) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        samples = np.zeros(seconds * rate) if silent else 8000 * np.sin(np.arange(seconds * rate) / 20)
        frame = av.AudioFrame.from_ndarray(samples.astype(np.int16)[None], format="s16", layout="mono")
        frame.rate = rate
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate, frame_size=1024)
        for piece in (*resampler.resample(frame), None):
            for packet in stream.encode(piece):
                container.mux(packet)
    return file.getvalue()


def film(*, cover):
    """An MP4 with a second of sound, and one image: a cover, or a film."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        audio = container.add_stream("aac", rate=48_000, layout="mono")
        video = container.add_stream("mjpeg" if cover else "libx264", rate=5)
        video.width, video.height, video.pix_fmt = 32, 32, "yuvj420p" if cover else "yuv420p"
        if cover:
            video.disposition = Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        for packet in (*video.encode(frame), *video.encode()):
            container.mux(packet)
        samples = (8000 * np.sin(np.arange(48_000) / 20)).astype(np.int16)[None]
        heard = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        heard.rate = 48_000
        resampler = av.AudioResampler(format=audio.codec_context.format, layout="mono", rate=48_000, frame_size=1024)
        for piece in (*resampler.resample(heard), None):
            for packet in audio.encode(piece):
                container.mux(packet)
    return file.getvalue()


def hum(hertz, seconds):
    """The sound of a film, n x 2: a tone on both channels."""
    samples = 12_000 * np.sin(2 * np.pi * hertz * np.arange(round(48_000 * seconds)) / 48_000)
    return np.stack([samples, samples], 1).astype(np.int16)
