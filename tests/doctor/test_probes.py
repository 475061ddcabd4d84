"""Each probe by itself: what it reads and how it judges."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from blackbox_qt.config_retention import RetentionConfig
from blackbox_qt.core.holders import Holder
from blackbox_qt.doctor import board, cameras, card, clocks, network, power, screen, services, versions
from blackbox_qt.doctor.finding import Finding
from blackbox_qt.doctor.found import Found, Search
from blackbox_qt.doctor.machine import Done, Machine, installed, run
from tests.doctor.trees import DATA, GPU, LLVMPIPE, Tree, healthy_pi, pc

ROOT = Path(__file__).parents[2]


@pytest.fixture
def pi(tmp_path: Path) -> Tree:
    return healthy_pi(tmp_path)


# ---- the machine itself


def test_files_that_are_not_there_are_none_and_drivers_may_refuse(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "odd").write_text("many\n")
    assert machine.read("/no/such") is None and machine.value("/folder") is None and machine.number("/odd") is None
    with pytest.raises(IsADirectoryError):
        machine.read("/folder")


def test_programs_are_run_with_a_limit() -> None:
    assert run(["/no/such/program"]) is None
    assert run(["sh", "-c", "echo hello; echo oh >&2; exit 3"]) == Done(3, "hello\n", "oh\n")
    assert run(["sleep", "30"], 0.1) == Done(124, "", "did not answer within 0 s")
    assert installed("no-such-distribution") == "" and installed("numpy")


# ---- computer and system


@pytest.mark.parametrize(
    ("model", "state"),
    [("Raspberry Pi 5 Model B Rev 1.1", "ok"), ("Raspberry Pi Compute Module 5 Rev 1.0", "ok"),
     ("Raspberry Pi 4 Model B Rev 1.4", "look here")],
)  # fmt: skip
def test_the_model(pi: Tree, model: str, state: str) -> None:
    pi.write("/proc/device-tree/model", model + "\0")
    found = board.model(pi.case())
    assert found.state == state and found.data["model"] == model and model in found.found


@pytest.mark.parametrize(
    ("codename", "bits", "state"),
    [("trixie", 64, "ok"), ("bookworm", 64, "look here"), ("noble", 64, "look here"), ("trixie", 32, "broken")],
)
def test_the_system(pi: Tree, codename: str, bits: int, state: str) -> None:
    pi.write("/etc/os-release", f'PRETTY_NAME="Some Linux"\nVERSION_CODENAME={codename}')
    pi.bits = bits
    assert board.system(pi.case()).state == state


def test_an_old_kernel_on_a_pi(pi: Tree) -> None:
    pi.write("/proc/sys/kernel/osrelease", "6.1.21-v8+")
    assert board.kernel(pi.case()).state == "look here"
    assert "up for 2 h 1 min" in board.kernel(pi.case()).found


def test_contiguous_memory_matters_only_where_the_heap_needs_it(pi: Tree) -> None:
    case = pi.case(source="picamera:0")
    assert case.machine.meminfo()["CmaFree"] < board.memory(case).data["cameras_need_bytes"]
    assert board.memory(case).state == "ok", "on a Pi 5 the camera's heap is ordinary memory"
    heap = pi.root / "dev/dma_heap/vidbuf_cached"
    heap.unlink()
    found = board.memory(pi.case(source="picamera:0"))
    assert found.state == "look here" and "cma-256" in found.do
    assert board.memory(pi.case()).state == "ok", "no Pi camera is configured"


def test_camera_memory(pi: Tree) -> None:
    case = pi.case(source="picamera:0")
    assert board.heaps(case).data["usable"] == ["linux,cma", "system", "vidbuf_cached"]
    case.machine.may_use = lambda _: False  # type: ignore[method-assign]
    assert "usermod" in board.heaps(case).do and board.heaps(case).state == "broken"
    for name in ("linux,cma", "vidbuf_cached", "system"):
        (pi.root / "dev/dma_heap" / name).unlink()
    assert (board.heaps(pi.case(source="picamera:0")).state, board.heaps(pi.case()).state) == ("broken", "ok")


# ---- power, heat, time


@pytest.mark.parametrize(
    ("word", "state", "words"),
    [
        ("0x0", "ok", "never slowed down"),
        ("0x1", "broken", "too low right now"),
        ("0x50005", "broken", "too low right now"),
        ("0x4", "look here", "being slowed down right now"),
        ("0x8", "look here", "being slowed down right now"),
        ("0x50000", "look here", "voltage was too low since the start"),
        ("0x20000", "look here", "was slowed down since the start"),
        ("0x80000", "look here", "was slowed down since the start"),
    ],
)
def test_throttling_bits(pi: Tree, word: str, state: str, words: str) -> None:
    pi.programs["vcgencmd"] = Done(0, f"throttled={word}\n")
    found = power.power(pi.case())
    assert found.state == state and words in found.found and found.data["throttled"] == word


def test_the_firmwares_word_also_comes_from_sysfs_and_from_the_monitor(pi: Tree) -> None:
    pi.programs["vcgencmd"] = None
    assert power.power(pi.case()).state == "look here"  # nobody tells
    pi.write("/sys/devices/platform/soc/soc:firmware/get_throttled", "50000")
    assert power.power(pi.case()).data["undervoltage_ever"] is True
    pi.write("/sys/class/hwmon/hwmon0/in0_lcrit_alarm", 1)
    assert power.power(pi.case()).state == "broken"


@pytest.mark.parametrize(("milli", "state"), [(69_900, "ok"), (70_000, "look here"), (80_000, "broken")])
def test_temperature(pi: Tree, milli: int, state: str) -> None:
    pi.write("/sys/class/thermal/thermal_zone1/temp", milli)
    assert power.temperature(pi.case()).state == state


@pytest.mark.parametrize(
    ("volts", "charging", "state", "words"),
    [(3_010_000, 3_000_000, "ok", "3.01 V, charging"), (2_400_000, 0, "look here", "2.40 V"),
     (12_000, 0, "look here", "without a battery")],
)  # fmt: skip
def test_the_rtc_battery(pi: Tree, volts: int, charging: int, state: str, words: str) -> None:
    pi.write("/sys/class/rtc/rtc0/battery_voltage", volts)
    pi.write("/sys/class/rtc/rtc0/charging_voltage", charging)
    found = clocks.clock(pi.case())
    assert found.state == state and words in found.found


def test_a_machine_without_any_clock_of_its_own(tmp_path: Path) -> None:
    found = clocks.clock(pc(tmp_path).case())
    assert found.state == "look here" and found.data["synchronised"] is True and "RTC" in found.found


# ---- versions


def test_the_oldest_versions_are_those_of_pyproject() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    pairs = [re.match(r"([\w-]+)>=([\d.]+)", text) for text in wanted]
    assert {found[1]: found[2] for found in pairs if found} == versions.OLDEST and all(pairs)


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({}, "ok", "av 18.1.0"),
        ({"av": "14.2.0"}, "broken", "av 14.2.0 is too old (needs 18.1)"),
        ({"segno": ""}, "broken", "segno is missing"),
        ({"opencv-python-headless": "", "opencv-python": "4.12"}, "ok", "opencv-python-headless 4.12"),
        ({"opencv-python-headless": ""}, "ok", "opencv-python-headless present"),
        ({"gpiod": ""}, "look here", "gpiod is missing: without it the ignition's line cannot work"),
    ],
)
def test_libraries(pi: Tree, change: dict[str, str], state: str, words: str) -> None:
    pi.versions.update(change)
    found = versions.libraries(pi.case())
    assert found.state == state and words in found.found


@pytest.mark.parametrize(
    ("qt", "shiboken", "python", "libc", "state"),
    [
        ("6.8.2.1", "6.8.2.1", "3.13.5", "2.41", "ok"),
        ("6.12.0", "6.12.0", "3.11.2", "2.41", "broken"),
        ("6.12.0", "6.12.0", "3.12.1", "2.41", "ok"),
        ("6.11.3", "6.11.3", "3.11.2", "2.41", "ok"),
        ("6.8.2.1", "6.11.3", "3.13.5", "2.41", "broken"),
        ("6.9.0", "6.9.0", "3.11.2", "2.36", "broken"),
        ("6.8.0.2", "6.8.0.2", "3.11.2", "2.36", "ok"),
        ("", "", "3.13.5", "2.41", "look here"),
    ],
)
def test_qt_fits_python_and_system(pi: Tree, qt: str, shiboken: str, python: str, libc: str, state: str) -> None:
    pi.versions.update({"PySide6": "", "PySide6-Essentials": qt, "shiboken6": shiboken})
    pi.modules.discard("PySide6")
    pi.python, pi.libc = python, libc
    assert versions.window(pi.case()).state == state


def test_an_apt_qt_on_an_old_system_is_the_systems_own(pi: Tree) -> None:
    pi.versions.update({"PySide6": "6.9.0", "shiboken6": "6.9.0"})
    pi.libc = "2.36"
    pi.write("/usr/lib/python3/dist-packages/PySide6/__init__.py", "")
    assert versions.window(pi.case()).state == "ok"


def test_a_venv_that_does_not_see_the_camera_stack(pi: Tree, tmp_path: Path) -> None:
    pi.modules -= {"libcamera", "picamera2"}
    pi.versions.pop("picamera2")
    assert "sudo apt install" in versions.camera_stack(pi.case(source="picamera:0")).do
    pi.write("/usr/lib/python3/dist-packages/picamera2/__init__.py", "")
    pi.write("/venv/pyvenv.cfg", "include-system-site-packages = false")
    case = pi.case(source="picamera:0")
    case.machine.in_venv, case.machine.prefix = True, tmp_path / "venv"
    assert "--system-site-packages" in versions.camera_stack(case).do
    assert versions.camera_stack(case).state == "broken" and versions.camera_stack(pi.case()).state == "look here"


def test_a_libcamera_that_is_too_old_for_picamera2(pi: Tree) -> None:
    pi.programs["dpkg-query"] = Done(0, "0.4.0-7\n")
    assert versions.camera_stack(pi.case(source="picamera:0")).state == "broken"


# ---- cameras


def test_a_configured_camera_that_is_not_there(pi: Tree) -> None:
    pi.search = Search((Found("v4l2", "HD Webcam", "usb-1", "v4l2:1"),))
    found = cameras.cameras(pi.case(source="picamera:0"))
    assert found.state == "broken" and "configured but not there: front (picamera:0)" in found.found


def test_auto_is_content_with_any_camera_but_not_with_none(pi: Tree) -> None:
    pi.search = Search((Found("v4l2", "HD Webcam", "usb-1", "v4l2:1"),))
    assert cameras.cameras(pi.case(source="auto")).state == "ok"
    pi.search = Search()
    assert cameras.cameras(pi.case(source="auto")).state == "broken"


def test_a_camera_that_nobody_has_configured(pi: Tree) -> None:
    found = cameras.cameras(pi.case())
    assert found.state == "look here" and 'source = "picamera:imx708@cam0"' in found.do


def test_a_camera_held_by_the_recorder_is_well_and_by_another_program_is_not(pi: Tree) -> None:
    one = Found("picamera", "imx708", "cam0", "picamera:imx708@cam0", holders=(Holder(812, "python3"),))
    pi.search = Search((one,))
    pi.write("/proc/812/cmdline", "/usr/bin/python3\0-m\0motion\0")
    assert "held by python3 (pid 812)" in cameras.cameras(pi.case(source="picamera:0")).found
    pi.write("/proc/812/cmdline", "/usr/bin/python3\0/usr/bin/blackbox-qt\0run\0")
    assert cameras.cameras(pi.case(source="picamera:0")).state == "ok"


def test_no_camera_at_all(pi: Tree) -> None:
    pi.search = Search()
    found = cameras.cameras(pi.case())
    assert (found.state, found.found) == ("look here", "none found") and "ribbon cable" in found.do


# ---- screen


@pytest.mark.parametrize(
    ("done", "state", "words"),
    [
        (Done(0, json.dumps(GPU)), "ok", "V3D 7.1"),
        (Done(0, json.dumps(LLVMPIPE)), "look here", "llvmpipe"),
        (Done(0, json.dumps({"error": "there is no OpenGL ES 3.0"})), "look here", "there is no OpenGL ES 3.0"),
        (Done(-11, ""), "look here", "the graphics driver crashed (signal 11)"),
        (Done(124, "", "did not answer within 15 s"), "look here", "did not answer"),
        (Done(0, "nonsense"), "look here", "makes no sense"),
        (None, "look here", "cannot be started"),
    ],
)
def test_whatever_the_graphics_driver_does(pi: Tree, done: Done | None, state: str, words: str) -> None:
    pi.programs["gl_probe wayland"] = done
    found = screen.screen(pi.case())
    assert found.state == state and words in found.found and found.data["display"] == "wayland"


def test_a_gpu_that_this_user_may_not_use(pi: Tree) -> None:
    pi.programs["gl_probe wayland"] = Done(0, json.dumps(LLVMPIPE))
    pi.write("/dev/dri/renderD128", "")
    case = pi.case()
    case.machine.may_use = lambda _: False  # type: ignore[method-assign]
    assert "usermod -aG render" in screen.screen(case).do


def test_a_display_that_does_not_answer(pi: Tree) -> None:
    pi.programs["gl_probe wayland"] = Done(0, json.dumps({"error": "EGL does not start on wayland (0x3001)"}))
    found = screen.screen(pi.case())
    assert found.state == "look here" and "WAYLAND_DISPLAY" in found.do


def test_no_screen_and_no_graphics_is_fine_for_a_recorder(tmp_path: Path) -> None:
    tree = pc(tmp_path)
    tree.programs["gl_probe surfaceless"] = Done(0, json.dumps({"error": "a system library is missing"}))
    found = screen.screen(tree.case())
    assert found.state == "ok" and "without a window" in found.found


def test_the_probe_of_this_machines_graphics_answers() -> None:
    answer = screen._ask(Machine(), "surfaceless")
    assert answer.keys() in ({"error"}, {"vendor", "egl", "renderer", "version", "dmabuf_import"})


# ---- the card


@pytest.mark.parametrize(
    ("kind", "options", "state", "words"),
    [
        ("ext4", "rw,noatime", "ok", "is on /dev/sda1 (ext4"),
        ("ext4", "rw,relatime", "ok", "noatime in /etc/fstab"),
        ("ext4", "ro,noatime", "broken", "read-only"),
        ("ext4", "rw,noatime,discard", "look here", "discards at once"),
        ("ext4", "rw,noatime,nobarrier", "broken", "write barriers are off"),
        ("exfat", "rw,noatime", "look here", "exfat has no journal"),
        ("vfat", "rw,noatime", "look here", "vfat has no journal"),
        ("tmpfs", "rw,noatime", "broken", "gone when the power is"),
        ("overlay", "rw,noatime", "broken", "gone when the power is"),
        ("nfs4", "rw,noatime", "look here", "a disk in the network"),
    ],
)
def test_where_recordings_go(pi: Tree, kind: str, options: str, state: str, words: str) -> None:
    pi.mount(DATA, kind, "/dev/sda1", "8:1", options)
    found = card.place(pi.case())
    assert found.state == state and words in found.found


def test_recordings_on_the_systems_card(pi: Tree) -> None:
    pi.mounts.pop()
    pi.mount("/home", "ext4", "/dev/mmcblk0p3", "179:3")
    pi.write("/sys/devices/mmcblk0/block/mmcblk0/mmcblk0p3/partition", 3)
    pi.link("/sys/dev/block/179:3", "/sys/devices/mmcblk0/block/mmcblk0/mmcblk0p3")
    case = pi.case()
    home = case.config.storage.model_copy(update={"data": Path("/home/me/blackbox")})
    case = replace(case, config=case.config.model_copy(update={"storage": home}))
    found = card.place(case)
    assert found.data["system_disk"] is True, "another partition of the same disk"
    assert found.state == "look here" and "does not exist yet; it would be on /dev/mmcblk0p3" in found.found


def test_in_a_chroot_the_disk_has_no_name(pi: Tree) -> None:
    pi.write("/proc/self/mountinfo", "25 1 0:23 / /proc rw - proc proc rw")
    found = card.place(pi.case())
    assert "on a disk (unnamed in this chroot" in found.found and "could not" not in found.found


def test_a_relative_data_folder_is_here(pi: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/usr")
    case = pi.case()
    storage = case.config.storage.model_copy(update={"data": Path("recordings")})
    case = replace(case, config=case.config.model_copy(update={"storage": storage}))
    assert card.place(case).data["folder"] == "/usr/recordings"


def test_a_container_is_not_a_read_only_root(tmp_path: Path) -> None:
    tree = pc(tmp_path)
    tree.mount("/", "overlay", "overlay", "0:42")
    assert card.place(tree.case()).state == "broken"
    tree.write("/.dockerenv", "")
    assert card.place(tree.case()).state == "look here"


@pytest.mark.parametrize(
    ("life", "end", "state", "words"),
    [("0x01 0x01", "0x01", "ok", "0 to 10 % of its life used"), ("0x09 0x02", "0x01", "look here", "80 to 90 %"),
     ("0x03 0x03", "0x02", "look here", ""), ("0x0b 0x01", "0x01", "broken", ""), ("0x01 0x01", "0x03", "broken", "")],
)  # fmt: skip
def test_the_cards_wear(pi: Tree, life: str, end: str, state: str, words: str) -> None:
    folder = "/sys/devices/sda/block/sda/device"
    pi.write(f"{folder}/life_time", life)
    pi.write(f"{folder}/pre_eol_info", end)
    found = card.identity(pi.case())
    assert found.state == state and words in found.found and "Extreme SSD" in found.found and "256 GB" in found.found


@pytest.mark.parametrize(
    ("free", "total", "state", "words"),
    [(200e9, 256e9, "ok", "55.6 hours"), (9e9, 256e9, "look here", "2.5 hours"), (5e9, 16e9, "look here", "1.4 hours"),
     (1e8, 256e9, "broken", "2 minutes"), (0, 256e9, "broken", "0 minutes")],
)  # fmt: skip
def test_hours_of_recording(pi: Tree, free: float, total: float, state: str, words: str) -> None:
    case = pi.case()
    kept = case.config.model_copy(update={"retention": RetentionConfig(enabled=False)})
    found = card.judge_space(replace(case, config=kept), int(free), int(total))
    assert found.state == state and words in found.found, found.found


@pytest.mark.parametrize(
    ("free", "total", "state", "words"),
    [(200e9, 256e9, "ok", "55.6 hours"), (5e9, 256e9, "ok", "then the oldest makes room"),
     (2e9, 256e9, "broken", "less than the recorder keeps free"), (0, 256e9, "broken", "0 minutes")],
)  # fmt: skip
def test_a_card_that_turns_is_nearly_full_and_well(pi: Tree, free: float, total: float, state: str, words: str) -> None:
    found = card.judge_space(pi.case(), int(free), int(total))
    assert found.state == state and words in found.found, found.found


# ---- network and systemd


def test_the_pages_addresses(pi: Tree) -> None:
    found = network.page(pi.case())
    assert found.data == {"addresses": ["http://10.42.0.1:8080/"], "port": 8080, "listening": True}
    pi.write("/proc/net/tcp", "  sl  local_address rem_address   st\n   0: 00000000:1F91 00000000:0000 0A")
    assert "not running there now" in network.page(pi.case()).found


def test_no_network(tmp_path: Path) -> None:
    assert network.page(pc(tmp_path).case()).state == "look here"


@pytest.mark.parametrize(
    ("device", "show", "state", "words"),
    [
        (
            Done(0, "wifi:connected:Black\\:box:wlan0\n"),
            Done(0, "ap\nblackbox-7f3a\n"),
            "ok",
            "on, its name is blackbox-7f3a",
        ),
        (Done(0, "wifi:connected:Black\\:box:wlan0\n"), Done(0, "infrastructure\nHome\n"), "ok", "off;"),
        (Done(0, "wifi:disconnected::wlan0\n"), None, "ok", "off;"),
        (Done(8, "", "NetworkManager is not running"), None, "look here", "does not answer"),
        (None, None, "look here", "does not answer"),
    ],
)
def test_the_boxs_own_wifi(pi: Tree, device: Done | None, show: Done | None, state: str, words: str) -> None:
    pi.programs.update({"nmcli device": device, "nmcli show Black:box": show})
    found = network.hotspot(pi.case())
    assert found.state == state and words in found.found


def test_wifi_that_is_blocked_until_a_country_is_named(pi: Tree) -> None:
    pi.write("/sys/class/rfkill/rfkill0/soft", 1)
    assert "wifi_country" in network.hotspot(pi.case()).do


@pytest.mark.parametrize(
    ("active", "enabled", "state", "words"),
    [
        ("active", "enabled", "ok", "is active, enabled"),
        ("failed", "enabled", "broken", "is failed, enabled"),
        ("activating", "enabled", "broken", "is activating"),
        ("inactive", "enabled", "look here", "is inactive"),
        ("active", "disabled", "look here", "is active, disabled"),
        ("inactive", "not-found", "ok", "is not installed"),
    ],
)
def test_the_recorders_service(pi: Tree, active: str, enabled: str, state: str, words: str) -> None:
    pi.programs = {
        "is-active recorder": Done(3, active + "\n"), "is-enabled recorder": Done(1, enabled + "\n"),
        "is-active kiosk": Done(0, "active\n"), "is-enabled kiosk": Done(0, "enabled\n"),
    }  # fmt: skip
    found: Finding = services.services(pi.case())
    assert found.state == state and words in found.found


def test_a_machine_without_systemd(tmp_path: Path) -> None:
    assert services.services(pc(tmp_path).case()) == Finding(
        "ok", "systemd does not run here: the recorder is started by hand", "", {"systemd": False}
    )
