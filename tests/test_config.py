from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from blackbox_qt.config import CameraConfig, Config, ConfigError, Option, load
from blackbox_qt.manual import default_toml

ROOT = Path(__file__).parents[1]


def refused(path: Path | None, *settings: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, settings)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_the_shipped_file_is_the_manual_and_says_exactly_the_defaults() -> None:
    text = (ROOT / "resources" / "default.toml").read_text()
    assert text == default_toml(), "run `blackbox-qt config > resources/default.toml`"
    assert Config.model_validate(tomllib.loads(text)) == Config() == load(None)


def test_every_setting_says_what_it_is() -> None:
    for name, field in Config.model_fields.items():
        model = CameraConfig if name == "camera" else field.annotation
        assert model.__doc__
        for key, setting in model.model_fields.items():  # type: ignore[union-attr]
            assert setting.description, f"{name}.{key}"


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("record.bitrat=1", "--set: record.bitrat is not a setting; known here: preset, bitrate_kbit, key_interval_s, threads"),
        ("sound.on=1", "--set: sound is not a setting; known here: camera, record, storage, stream, web, window, power, hotspot, recovery, time, marks, retention, emergency, alarms, shedding, health"),
        ("record.bitrate_kbit=much", '--set: record.bitrate_kbit = "much" is not allowed; allowed: a whole number 200 to 100000'),
        ("record.bitrate_kbit=7", "--set: record.bitrate_kbit = 7 is not allowed; allowed: a whole number 200 to 100000"),
        ("stream.quality=101", "--set: stream.quality = 101 is not allowed; allowed: a whole number 1 to 100"),
        ("stream.quality=0", "--set: stream.quality = 0 is not allowed; allowed: a whole number 1 to 100"),
        ("record.preset=warp", '--set: record.preset = "warp" is not allowed; allowed: ultrafast, superfast, veryfast, faster, fast, medium'),
        ("web.host=home", '--set: web.host = "home" is not allowed; allowed: an IP address such as 0.0.0.0 or 127.0.0.1'),
        ("camera.front.buffers=3", "--set: camera.front.buffers = 3 is not allowed; allowed: a whole number 12 to 64"),
        ("camera.rear.buffers=14", "--set camera.rear.buffers=14: there is no such camera; write camera.NAME.key=value with the name of one"),
        ("camera.front.name=Front", 'settings: camera.Front.name = "Front" is not allowed; allowed: a small letter, then small letters, digits or _, at most 16'),
        ("web.auth=false", '--set: web.auth = false with web.host = "0.0.0.0" would let everybody in; allowed: with host 127.0.0.1 only'),
        ("window.night=maybe", '--set: window.night = "maybe" is not allowed; allowed: true or false'),
        ("power.ignition=GPIO 17", '--set: power.ignition = "GPIO 17" is not allowed; allowed: the name of a GPIO line such as GPIO17, or a chip and a number such as gpiochip0:17'),
        ("power.off_after_s=0", "--set: power.off_after_s = 0 is not allowed; allowed: a number 0.5 to 600"),
        ("marks.button=GPIO 27", '--set: marks.button = "GPIO 27" is not allowed; allowed: the name of a GPIO line such as GPIO27, or a chip and a number such as gpiochip0:27'),
        ("marks.after_s=0", "--set: marks.after_s = 0 is not allowed; allowed: a number 1 to 3600"),
        ("hotspot.name=ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ", '--set: hotspot.name = "ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ" is not allowed; allowed: a name of at most 32 letters (fewer, if they are not plain ones)'),
        ("nonsense", "--set nonsense: is not understood; write section.key=value, as in record.bitrate_kbit=6000"),
        ("a.b.c=1", "--set a.b.c=1: is not understood; write section.key=value, as in record.bitrate_kbit=6000"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_one_sentence(setting: str, sentence: str) -> None:
    assert refused(None, setting) == sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[[camera]]\nname = "a"\n[[camera]]\nname = "a"\n', 'camera.name "a" is used twice; every camera needs a name of its own'),
        ('[[camera]]\nsource = "auto"\n[[camera]]\nname = "rear"\nsource = "auto"\n', 'camera.source = "auto" is for a box with one camera; `blackbox-qt cameras` lists what to write for each'),
        ("camera = []", "camera = [] is not allowed; allowed: one to four [[camera]] sections"),
        ("camera = 5", "camera = 5 is not allowed; allowed: one to four [[camera]] sections"),
        ("camera = [5]", "camera.1 = 5 is not allowed; allowed: a [[camera]] section"),
        ("record = 5", "record = 5 is not allowed; allowed: a [record] section"),
        ("[record]\nthreads = 1.5", "record.threads = 1.5 is not allowed; allowed: a whole number 0 to 16"),
        ("[record]\nthreads = true", "record.threads = true is not allowed; allowed: a whole number 0 to 16"),
        ('[[camera]]\nname = "a"\nbuffers = 4', "camera.a.buffers = 4 is not allowed; allowed: a whole number 12 to 64"),
        ('[[camera]]\nname = "a"\ncolour = 4', "camera.a.colour is not a setting; known here: name, source, buffers"),
        ("[record\n", "is not valid TOML"),
        ("\x00", "is not valid TOML"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_one_sentence_that_names_it(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "blackbox.toml"
    path.write_text(text)
    said = refused(path)
    assert said.startswith(f"{path}: ") and sentence in said


def test_a_missing_or_binary_file_is_one_sentence(tmp_path: Path) -> None:
    assert "cannot be read (No such file or directory)" in refused(tmp_path / "none.toml")
    binary = tmp_path / "b.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "is not valid TOML" in refused(binary)
    assert "cannot be read (Is a directory)" in refused(tmp_path)


def test_later_words_win(tmp_path: Path) -> None:
    path = tmp_path / "blackbox.toml"
    path.write_text('[record]\nbitrate_kbit = 5000\n[web]\nport = 81\n[[camera]]\nname = "rear"\n')
    settings = ["record.bitrate_kbit=6000", "camera.rear.source=pattern:64x64"]
    config = load(path, settings, [Option("--port", "web.port", 82)])
    assert (config.record.bitrate_kbit, config.web.port) == (6000, 82)
    assert config.camera[0].source == "pattern:64x64" and config.camera[0].name == "rear"
    assert load(path).web.port == 81


def test_sources_say_which_cameras_there_are_and_keep_what_the_file_says_of_them(tmp_path: Path) -> None:
    path = tmp_path / "blackbox.toml"
    path.write_text('[[camera]]\nname = "front"\nbuffers = 20\n[[camera]]\nname = "rear"\nbuffers = 14\n')
    config = load(path, ["camera.left.buffers=16"], sources=[("front", "pattern:64x64"), ("left", "pattern")])
    assert [(c.name, c.source, c.buffers) for c in config.camera] == [
        ("front", "pattern:64x64", 20), ("left", "pattern", 16),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["web = 5", "web = [1]"])
def test_an_option_does_not_stumble_over_a_wrong_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "blackbox.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"web = .* is not allowed; allowed: a \[web\] section"):
        load(path, ["web.host=::1"], [Option("--port", "web.port", 82)])


def test_a_wrong_option_is_named_as_it_was_typed(tmp_path: Path) -> None:
    path = tmp_path / "blackbox.toml"
    path.write_text("")
    with pytest.raises(
        ConfigError, match=r"^--port: web.port = 99999 is not allowed; allowed: a whole number 0 to 65535"
    ):
        load(path, [], [Option("--port", "web.port", 99999)])
    with pytest.raises(ConfigError, match=r"pause_minutes = 0 is not allowed; allowed: a number above 0, at most 240"):
        load(path, ["web.pause_minutes=0"])
