"""Makes resources/sounds: `python packaging/sounds.py`. Rising notes for a start, falling ones for an alarm."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

RATE = 11025  # Hz
FOLDER = Path(__file__).resolve().parent.parent / "resources" / "sounds"
CHIME = [(659, 0.14), (988, 0.26)]  # (Hz, s); 0: silence
ALARM = [(988, 0.12), (659, 0.16), (0, 0.08)] * 3
_EDGE_S = 0.008  # no click


def samples(notes: list[tuple[int, float]], loudness: float) -> bytes:
    """16-bit mono."""
    found = []
    for hertz, seconds in notes:
        count = round(seconds * RATE)
        for n in range(count):
            edge = min(1.0, n / (RATE * _EDGE_S), (count - n) / (RATE * _EDGE_S))
            tone = math.sin(2 * math.pi * hertz * n / RATE) + 0.25 * math.sin(6 * math.pi * hertz * n / RATE)
            found.append(round(32767 * loudness * edge * tone / 1.25))
    return struct.pack(f"<{len(found)}h", *found)


def make(folder: Path = FOLDER) -> None:
    folder.mkdir(exist_ok=True)
    for name, notes, loudness in (("chime", CHIME, 0.5), ("alarm", ALARM, 0.9)):
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(samples(notes, loudness))


if __name__ == "__main__":
    make()
