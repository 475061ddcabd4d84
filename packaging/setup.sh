#!/usr/bin/env bash
# Sets up what Blackbox Qt needs and is not there yet: system packages, .venv, Python packages.
#
#   packaging/setup.sh ROLE [ROLE...]
#
# Roles: headless (record and serve), window (and the screen), test, lint, bench, package, lab (the emulated
# machine). Each includes what it needs.
# Nothing is done twice: with everything in place it ends within a tenth of a second and says nothing.
# Talks on standard error, one line per step, so that the program's own output stays clean.
#
# Exit codes: 0 all is there; 1 an installation failed; 2 wrong use; 3 the system lacks something that only an
# administrator can install.
set -euo pipefail

root=$(cd -P -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/.." && pwd)
venv=$root/.venv
stamp=$venv/.blackbox-setup # one line per finished "key + groups of Python packages"
half_done=$venv/.blackbox-half-done # there while pip is at work: if it was killed, half a package may lie there

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
  local code=$1
  shift
  say "$@"
  exit "$code"
}

# --- the machine -----------------------------------------------------------------------------------------------

machine=$(uname -m)
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release 2>/dev/null) || codename=unknown

# A Pi takes libcamera's Python binding from apt, there is no wheel of it; the venv must then see the system's
# packages, and numpy and PySide6 must come from apt too: two Qt in one process do not work.
is_pi() {
  [[ -e /etc/rpi-issue ]] || { [[ -r /proc/device-tree/model ]] && grep -aq 'Raspberry Pi' /proc/device-tree/model; }
}
pi=no
if is_pi; then pi=yes; fi
apt_qt=no # Debian has PySide6 since trixie
if [[ $pi == yes && $codename != bookworm ]]; then apt_qt=yes; fi

# --- what each role needs ----------------------------------------------------------------------------------------
# "a|b": either will do, a is installed. "?a": only where apt knows it.

pi_packages=(python3-numpy '?python3-libcamera' '?python3-picamera2') # the last two: Raspberry Pi OS has them
window_packages=(
  libegl1 libgl1 'libglib2.0-0|libglib2.0-0t64' libfontconfig1 libdbus-1-3 libxkbcommon-x11-0
  libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0
  libwayland-client0 libwayland-cursor0 libwayland-egl1 fonts-noto-core
)
if [[ $machine == aarch64 ]]; then window_packages+=('libsm6' 'libice6'); fi
qt_packages=(
  python3-pyside6.qtcore python3-pyside6.qtgui python3-pyside6.qtwidgets
  python3-pyside6.qtopengl python3-pyside6.qtopenglwidgets qt6-wayland
)
peer_packages=(
  ffmpeg gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good
  gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav
)
test_packages=(
  chromium chromium-driver curl dbus-daemon dosfstools e2fsprogs exfatprogs gir1.2-nm-1.0 git mount procps
  python3-dbusmock python3-gi shellcheck
)
lab_packages=(
  qemu-system-arm qemu-user-static mmdebstrap debian-archive-keyring kmod cpio e2fsprogs xz-utils systemd-container
)
package_tools=(debhelper dpkg-dev '?lintian')

needs=()  # system packages
groups=() # optional groups of Python packages, the names of pyproject.toml

add_role() {
  case $1 in
    headless) if [[ $pi == yes ]]; then needs+=("${pi_packages[@]}"); fi ;;
    window)
      add_role headless
      needs+=("${window_packages[@]}")
      groups+=(window)
      if [[ $apt_qt == yes ]]; then needs+=("${qt_packages[@]}"); fi
      ;;
    lint)
      add_role window # mypy reads the types of PySide6
      groups+=(dev)
      needs+=(shellcheck)
      ;;
    bench)
      add_role window
      groups+=(dev)
      needs+=(xvfb "${peer_packages[@]}")
      ;;
    test)
      add_role bench
      needs+=("${test_packages[@]}")
      ;;
    package)
      add_role headless # for pip, which fetches the target's wheels
      needs+=("${package_tools[@]}")
      ;;
    lab)
      add_role package # which is installed in there
      needs+=("${lab_packages[@]}")
      groups+=(dev)
      ;;
    *) die 2 "unknown role '$1'; roles are headless, window, lint, bench, test, package, lab" ;;
  esac
}

# --- system packages ---------------------------------------------------------------------------------------------

# The system packages of `needs` that are not installed, one per line.
missing_packages() {
  ((${#needs[@]})) || return 0
  local all installed entry choice found
  mapfile -t all < <(printf '%s\n' "${needs[@]#\?}" | tr '|' '\n' | sort -u)
  # shellcheck disable=SC2016 # the ${...} is dpkg-query's
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${all[@]}" 2>/dev/null) || true # 1: one is unknown
  installed=$'\n'$installed$'\n'
  while IFS= read -r entry; do
    found=no
    while IFS= read -r choice; do
      if [[ $installed == *$'\n'"installed $choice"$'\n'* ]]; then found=yes; fi
    done < <(tr '|' '\n' <<<"${entry#\?}")
    if [[ $found == no ]]; then echo "${entry%%|*}"; fi
  done < <(printf '%s\n' "${needs[@]}" | sort -u)
}

have_lists() { compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null; }

as_root=() # how apt-get is called
become_root() {
  if [[ $(id -u) == 0 ]]; then return 0; fi
  local line="apt-get install --no-install-recommends $*"
  if ! have_lists; then line="apt-get update && $line"; fi
  if ! command -v sudo >/dev/null; then
    say "system packages are missing, you are not root, and there is no sudo. As root, run"
    die 3 "  $line"
  fi
  if ! sudo -n true 2>/dev/null && [[ ! -t 0 ]]; then
    say "system packages are missing, and sudo refuses or wants a password that nobody can type here. As root, run"
    die 3 "  $line"
  fi
  as_root=(sudo)
}

apt_get() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Acquire::Retries=3 "$@" </dev/null; }

apt_update() {
  say "reading the system's package lists"
  apt_get update >"$log" 2>&1 || say "apt-get update complained; going on with the lists there are"
}

apt_install() {
  apt_get install --no-install-recommends -- "$@" >"$log" 2>&1
}

# Installs what is missing. Optional packages are looked for only while the Python packages are not set up either, so
# that one which this system does not have is not looked for at every start.
system_packages() {
  local first_time=$1 missing wanted optional=() package updated=no
  if ! command -v dpkg-query >/dev/null; then
    say "this is no Debian: the system packages are yours to install (packaging/setup.sh lists them)"
    return 0
  fi
  mapfile -t missing < <(missing_packages)
  mapfile -t wanted < <(printf '%s\n' "${missing[@]}" | sed '/^?/d;/^$/d')
  if [[ $first_time == yes ]]; then
    mapfile -t optional < <(printf '%s\n' "${missing[@]}" | sed -n 's/^?//p')
  fi
  if ((${#wanted[@]} + ${#optional[@]} == 0)); then return 0; fi

  log=$(mktemp)
  trap 'rm -f -- "$log"' EXIT
  if ! have_lists; then
    become_root "${wanted[@]}" "${optional[@]}"
    apt_update
    updated=yes
  fi
  for package in "${optional[@]}"; do
    if apt-cache show "$package" >/dev/null 2>&1; then
      wanted+=("$package")
    else
      say "this system has no package $package; going on without"
    fi
  done
  if ((${#wanted[@]} == 0)); then return 0; fi
  become_root "${wanted[@]}"
  say "installing ${#wanted[@]} system packages: ${wanted[*]}"
  if apt_install "${wanted[@]}"; then return 0; fi
  if [[ $updated == no ]]; then # old lists name versions that the mirror no longer has
    apt_update
    if apt_install "${wanted[@]}"; then return 0; fi
  fi
  tail -n 15 -- "$log" >&2
  die 1 "apt-get could not install: ${wanted[*]}"
}

# --- Python ------------------------------------------------------------------------------------------------------

# Python 3.11 or later that can make a venv. On a Pi only the system's own fits the packages from apt.
find_python() {
  local candidate choices=(python3 /usr/bin/python3)
  if [[ $pi == yes ]]; then choices=(/usr/bin/python3); fi
  for candidate in "${choices[@]}"; do
    if "$candidate" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      python=$candidate
      return 0
    fi
  done
  return 1
}

# Whether .venv can be used as it is: whole, alive, of the Python it was made for, with its own pip, and seeing the system's
# packages exactly where it should.
venv_is_sound() {
  [[ -x $venv/bin/python && ! -e $half_done ]] || return 1
  local system=false
  if [[ $pi == yes ]]; then system=true; fi
  grep -qx "include-system-site-packages = $system" "$venv/pyvenv.cfg" 2>/dev/null || return 1
  "$venv/bin/python" -c 'import sys, pip
sys.exit(sys.version_info < (3, 11) or not pip.__file__.startswith(sys.prefix))' 2>/dev/null
}

make_venv() {
  if venv_is_sound; then return 0; fi
  local options=(--clear)
  if [[ $pi == yes ]]; then options+=(--system-site-packages); fi
  say "making .venv with $("$python" --version 2>&1)"
  "$python" -m venv "${options[@]}" "$venv" || die 1 "$python could not make $venv"
}

# Everything the Python packages depend on. Another interpreter behind .venv/bin/python (a system upgrade) or
# another place of the checkout changes it too.
setup_key() {
  {
    cat -- "$root/pyproject.toml" "$root/packaging/constraints.txt" "$root/packaging/setup.sh" "$venv/pyvenv.cfg"
    readlink -f -- "$venv/bin/python"
    printf '%s\n' "$root" "$pi"
  } 2>/dev/null | sha256sum | cut -d' ' -f1
}

# pyproject.toml is the one place that says what is needed; this prints it for pip, without what apt brings.
requirements() {
  "$venv/bin/python" - "$root/pyproject.toml" "$@" <<'PYTHON'
import re, sys, tomllib
project = tomllib.load(open(sys.argv[1], "rb"))["project"]
groups, from_apt = sys.argv[2].split(), sys.argv[3].split()
wanted = project["dependencies"] + [line for g in groups for line in project["optional-dependencies"][g]]
print(*(w for w in wanted if re.match(r"[\w.-]+", w)[0].lower() not in from_apt), sep="\n")
PYTHON
}

python_packages() {
  local key=$1 work from_apt='' glibc result=0 interrupted=no
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # the directory of now
  trap "rm -rf -- '$work' '${log:-$work}'" EXIT
  cp -- "$root/packaging/constraints.txt" "$work/constraints"
  pin() { # NAME [VERSION]: another version than the constraints file's, or none at all
    sed -i "/^$1==/d" "$work/constraints"
    if [[ ${2-} ]]; then echo "$1==$2" >>"$work/constraints"; fi
  }
  if [[ $pi == yes ]]; then
    from_apt=numpy
    pin numpy
    if [[ $apt_qt == yes ]]; then from_apt+=' pyside6-essentials'; fi
    if [[ $codename == bookworm ]]; then pin opencv-python-headless 4.11.0.86; fi # 5 needs numpy 2
  fi
  glibc=$(getconf GNU_LIBC_VERSION 2>/dev/null | cut -d' ' -f2) || glibc=0
  if [[ $machine == aarch64 && $(printf '%s\n' "$glibc" 2.39 | sort -V | head -n 1) != 2.39 ]]; then
    pin PySide6_Essentials 6.8.0.2 # later wheels for this machine need a newer C library
    pin shiboken6 6.8.0.2
  fi
  requirements "${groups[*]}" "$from_apt" >"$work/requirements"
  say "installing Python packages into .venv (once; some minutes on a slow line)"
  : >"$half_done"
  trap 'interrupted=yes' INT TERM
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
    --requirement "$work/requirements" --constraint "$work/constraints" >&2 || result=$?
  trap - INT TERM
  if [[ $interrupted == no ]] && ((result < 128)); then rm -f -- "$half_done"; fi
  if ((result)); then die 1 "pip could not install the Python packages"; fi
  # The program is used from where it lies; no copy of it is installed.
  printf '%s\n' "$root" >"$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/blackbox_qt.pth"
  { if [[ -f $stamp ]]; then grep "^$key" -- "$stamp" || true; fi; } >"$stamp.new"
  echo "$key ${groups[*]}" >>"$stamp.new"
  mv -- "$stamp.new" "$stamp"
}

is_stamped() { # KEY: the same Python packages, or more, were installed before
  local line group
  [[ -f $stamp ]] || return 1
  while IFS= read -r line; do
    [[ $line == "$1 "* ]] || continue
    for group in "${groups[@]}"; do
      [[ " ${line#* } " == *" $group "* ]] || continue 2
    done
    return 0
  done <"$stamp"
  return 1
}

# --- all of it -----------------------------------------------------------------------------------------------------

(($#)) || die 2 "say for what: headless, window, lint, bench, test, package or lab"
for role; do add_role "$role"; done
mapfile -t groups < <(printf '%s\n' "${groups[@]}" | sort -u | sed '/^$/d')

key=$(setup_key)
if is_stamped "$key"; then
  if [[ -z $(missing_packages | sed '/^?/d') ]]; then exit 0; fi
  first_time=no
else
  first_time=yes
fi

# Only one set-up at a time in one checkout; the second then finds everything done. (9<&-: what the steps leave running
# must not hold the lock.)
[[ -w $root ]] || die 3 "$root is not yours to write: .venv has to be made there. Use a clone of your own"
exec 9<"$root"
flock -n 9 || {
  say "waiting for another set-up of this checkout"
  flock 9
  key=$(setup_key)
}

python=''
if ! venv_is_sound && ! find_python; then needs+=(python3 python3-venv); fi
system_packages "$first_time" 9<&-
if is_stamped "$key"; then exit 0; fi
if ! venv_is_sound && [[ -z $python ]]; then
  find_python || die 3 "Python 3.11 or later is needed; $(python3 --version 2>&1) is not enough (Debian 12 and later have it)"
fi
make_venv 9<&-
key=$(setup_key)
if ! is_stamped "$key"; then python_packages "$key" 9<&-; fi
