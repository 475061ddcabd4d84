"""./dev and packaging/setup.sh, on a copy beside tools that only pretend: nothing is installed here."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What the scripts may use for real. Everything else (dpkg-query, apt-get, sudo, id, python3) is a fake or absent.
REAL_TOOLS = """
bash basename cat chmod cp cut dirname env flock getconf grep head ln mkdir mktemp mv printf readlink rm sed setsid sh
sha256sum sleep sort tail tr uname
""".split()  # noqa: SIM905

FAKE_PYTHON = """\
echo "python $*" >>"$CALLS"
case "$*" in
  --version) echo Python 3.13.5 ;;
  *"-m venv"*)
    for venv; do :; done
    mkdir -p "$venv/bin"
    cp "$0" "$venv/bin/python"
    echo 'include-system-site-packages = false' >"$venv/pyvenv.cfg" ;;
  *"-m pip install"*) exit "${PIP_FAILS:-0}" ;;
  *sysconfig*) mkdir -p "$CHECKOUT/.venv/site"; echo "$CHECKOUT/.venv/site" ;;
  *pip.__file__*) ;;
  -\\ *) cat >/dev/null; echo something ;;
esac
"""


class Checkout:
    """A copy of the scripts in a folder with a space in its name, and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a clone"
        self.tools = folder / "bin"
        self.calls_file = folder / "calls"
        (self.root / "packaging").mkdir(parents=True)
        for name in ("dev", "pyproject.toml", "packaging/setup.sh", "packaging/constraints.txt"):
            shutil.copy(ROOT / name, self.root / name)
        script = self.root / "packaging/setup.sh"
        script.write_text(script.read_text().replace(" /usr/bin/python3", " /nowhere/python3"))  # never the real one
        self.tools.mkdir()
        for name in REAL_TOOLS:
            if found := shutil.which(name):
                (self.tools / name).symlink_to(found)
        self.env = {"PATH": str(self.tools), "CALLS": str(self.calls_file), "CHECKOUT": str(self.root)}
        self.fake("python3", FAKE_PYTHON)
        self.fake("id", "echo 1000")
        self.installed(everything=True)

    def fake(self, name: str, body: str) -> None:
        tool = self.tools / name
        tool.write_text(f"#!{shutil.which('bash')}\n{body}\n")
        tool.chmod(0o755)

    def installed(self, *, everything: bool) -> None:
        known = 'for p in "${@:4}"; do echo "installed $p"; done' if everything else "exit 1"
        self.fake("dpkg-query", f'echo "dpkg-query" >>"$CALLS"; set -- . "$@"; {known}')

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.root / command[0]), *command[1:]],
            env=self.env | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def calls(self, word: str) -> list[str]:
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        return [line for line in lines if word in line]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    if Path("/etc/rpi-issue").exists():
        pytest.skip("on a Pi the set-up takes only the system's own Python, which cannot be faked")
    return Checkout(tmp_path)


def test_help_names_every_command() -> None:
    done = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True)
    for command in ("run", "test", "prove", "lint", "bench"):
        assert f"\n  {command} " in done.stdout


def test_unknown_command_is_one_sentence() -> None:
    done = subprocess.run([ROOT / "dev", "tset"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "dev: there is no command 'tset'; ./dev help lists them\n"


def test_unknown_role_is_one_sentence(checkout: Checkout) -> None:
    done = checkout.run("dev", "setup", "kitchen")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "'kitchen'" in done.stderr


def test_without_root_and_sudo_it_says_what_an_administrator_must_do(checkout: Checkout) -> None:
    checkout.installed(everything=False)
    done = checkout.run("dev", "run")
    assert done.returncode == 3
    assert "not root" in done.stderr
    assert "apt-get install --no-install-recommends " in done.stderr
    assert "libxcb-cursor0" in done.stderr
    assert not checkout.calls("venv")


def test_sudo_that_would_ask_where_nobody_can_answer(checkout: Checkout) -> None:
    checkout.installed(everything=False)
    checkout.fake("sudo", 'echo "sudo $*" >>"$CALLS"; exit 1')
    done = checkout.run("dev", "run")
    assert done.returncode == 3
    assert "password" in done.stderr
    assert not checkout.calls("apt-get")


def test_with_sudo_only_what_is_missing_is_installed(checkout: Checkout) -> None:
    only_xvfb_missing = 'for p in "${@:3}"; do [[ $p == xvfb ]] || echo "installed $p"; done'
    checkout.fake("dpkg-query", only_xvfb_missing)
    checkout.fake("sudo", '[[ $1 == -n ]] || echo "sudo $*" >>"$CALLS"')
    assert checkout.run("dev", "setup", "bench").returncode == 0
    (call,) = checkout.calls(" install ")[:1]
    assert call.endswith("install --no-install-recommends -- xvfb")
    assert "DEBIAN_FRONTEND=noninteractive" in call


def test_nothing_is_done_twice(checkout: Checkout) -> None:
    first = checkout.run("dev", "setup", "window")
    assert (first.returncode, first.stdout) == (0, "")
    assert len(checkout.calls("-m venv")) == len(checkout.calls("-m pip install")) == 1

    before = len(checkout.calls("python"))
    for role in ("window", "headless"):  # the smaller one is in the larger one
        again = checkout.run("dev", "setup", role)
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert len(checkout.calls("python")) == before


def test_another_pin_is_installed(checkout: Checkout) -> None:
    checkout.run("dev", "setup", "headless")
    with (checkout.root / "packaging/constraints.txt").open("a") as file:
        file.write("# changed\n")
    checkout.run("dev", "setup", "headless")
    assert len(checkout.calls("-m venv")) == 1
    assert len(checkout.calls("-m pip install")) == 2


def test_a_setup_that_failed_is_taken_up_again(checkout: Checkout) -> None:
    failed = checkout.run("dev", "run", "--headless", PIP_FAILS="1")
    assert failed.returncode == 1
    assert failed.stderr.endswith("setup: pip could not install the Python packages\n")
    assert checkout.run("dev", "setup", "headless").returncode == 0
    assert len(checkout.calls("-m venv")) == 1
    assert len(checkout.calls("-m pip install")) == 2


def test_after_a_killed_pip_the_venv_is_made_anew(checkout: Checkout) -> None:
    checkout.run("dev", "setup", "headless", PIP_FAILS="137")
    assert checkout.run("dev", "setup", "headless").returncode == 0
    assert len(checkout.calls("-m venv")) == 2
    assert checkout.run("dev", "setup", "headless").stderr == ""


def test_through_a_link_and_with_the_users_arguments(checkout: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "bb"
    link.symlink_to(checkout.root / "dev")
    done = subprocess.run(
        [link, "run", "--headless", "--source", "file:a b.mp4"], env=checkout.env, cwd="/", check=False
    )
    assert done.returncode == 0
    assert checkout.calls("-m blackbox_qt") == ["python -P -m blackbox_qt --headless --source file:a b.mp4"]
    assert not checkout.calls("PySide6")


def test_old_python_is_said(checkout: Checkout) -> None:
    checkout.fake("python3", '[[ $1 == --version ]] && echo "Python 3.9.2" || exit 1')
    done = checkout.run("dev", "setup", "headless")
    assert done.returncode == 3
    assert "Python 3.11 or later is needed; Python 3.9.2 is not enough" in done.stderr


def test_the_screen_of_the_tests_does_not_outlive_them(checkout: Checkout) -> None:
    checkout.fake("Xvfb", 'echo "screen $$" >>"$CALLS"; echo 77 >&3; exec 3>&-; exec sleep 60')
    checkout.fake(
        "python3", FAKE_PYTHON + 'if [[ $* == "-m pytest"* ]]; then echo "DISPLAY=$DISPLAY"; exec sleep 60; fi'
    )
    with subprocess.Popen(
        [checkout.root / "dev", "test"], env=checkout.env, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout is not None
        said = running.stdout.readline()
        os.killpg(running.pid, signal.SIGTERM)  # all that runs in this terminal
    assert (said, running.returncode) == ("DISPLAY=:77\n", -signal.SIGTERM)
    (line,) = checkout.calls("screen ")
    screen = Path("/proc") / line.split()[1]
    deadline = time.monotonic() + 10
    while screen.exists():
        assert time.monotonic() < deadline, "Xvfb was left behind"
        time.sleep(0.05)


def test_shell_scripts_are_clean() -> None:
    scripts = [ROOT / "dev", ROOT / "packaging/setup.sh", ROOT / ".ci/run"]
    subprocess.run(["shellcheck", *scripts], check=True)
