#!/usr/bin/env bash
# Builds the Debian package into dist/: packaging/deb/build.sh [arm64|amd64]. Called by ./dev package, which sets up tools.
#
# Nothing is compiled and nothing foreign runs: our code is Python, the rest are wheels of the target, only unpacked. So
# each architecture is built on any machine. dpkg and debhelper do the packaging.
#
# PACKAGE_VERSION=0.1.1 builds another version than packaging/deb/changelog says (to try an upgrade, say);
# PACKAGE_OUT=FOLDER puts it elsewhere than into dist/;
# PACKAGE_QUICK=1 neither compresses nor checks: for tests, which install it at once.
# Exit codes: 0 built; 1 something failed; 2 wrong use; 3 a tool is missing; 4 lintian found errors in what was built.
set -euo pipefail

root=$(cd -P -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.." && pwd)
arch=${1-$(dpkg --print-architecture)}
python=${PYTHON:-$root/.venv/bin/python}
python_abi=3.13 # trixie's; debian/control says so too

# What trixie does not have, or not new enough: PyAV, which copied every frame before 18.1; OpenCV without its windows, for
# which Debian's would bring a desktop; the rest is small. Versions are those of packaging/constraints.txt.
wheels=(av simplejpeg opencv-python-headless httptools qasync dbus-fast)

say() { printf 'package: %s\n' "$*" >&2; }
die() {
  say "$2"
  exit "$1"
}

case $arch in
  arm64) machine=aarch64 ;;
  amd64) machine=x86_64 ;;
  *) die 2 "there is no package for '$arch'; arm64 and amd64 can be built" ;;
esac
for tool in dpkg-buildpackage dh; do
  command -v "$tool" >/dev/null || die 3 "$tool is missing; ./dev package installs it"
done

work=$root/build/deb-$arch${PACKAGE_VERSION:+-$PACKAGE_VERSION}
out=${PACKAGE_OUT:-$root/dist}
tree=$work/source/tree
private=$tree/usr/lib/blackbox-qt

our_code() {
  mkdir -p "$private" "$tree/usr/bin"
  cp -r -- "$root/blackbox_qt" "$private/"
  cp -r -- "$root/resources" "$private/blackbox_qt/"
  find "$private" -name __pycache__ -type d -prune -exec rm -rf {} +
  install -m 755 -- "$root/packaging/deb/blackbox-qt" "$tree/usr/bin/blackbox-qt"
}

# Unpacked for the target by pip, which checks the hashes that the index gives. --no-compile: the target's Python does it.
their_wheels() {
  local glibc platforms=()
  for glibc in {17..41}; do platforms+=(--platform "manylinux_2_${glibc}_$machine"); done
  "$python" -m pip install --quiet --disable-pip-version-check --no-input --no-compile --no-deps --only-binary :all: \
    --target "$private/site" "${platforms[@]}" --platform "manylinux2014_$machine" --platform any \
    --implementation cp --python-version "$python_abi" --abi "cp${python_abi/./}" --abi abi3 --abi none \
    --constraint "$root/packaging/constraints.txt" "${wheels[@]}"
  rm -rf -- "$private/site/bin" # scripts that name this machine's Python
  # Not needed to run: sources and stubs of compiled modules, OpenCV's trained faces, pip's own notes.
  find "$private/site" \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.c' -o -name '*.h' \
    -o -name direct_url.json -o -name REQUESTED \) -delete
  rm -rf -- "$private/site/cv2/data" "$private/site/cv2/typing"
  find "$private/site" -type f ! -name '*.so*' -exec chmod a-x {} +
}

# What the wheels' libraries need of the system must stand in debian/control; anything new is looked at by a person.
check_needs() {
  local known='ld-linux-(aarch64|x86-64)|libc|libm|libmvec|libdl|libpthread|librt|libgcc_s|libstdc\+\+|libz' found
  found=$(find "$private/site" -name '*.so*' -type f -exec readelf -d {} + | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u)
  [[ $found ]] || die 1 "readelf finds no libraries in the wheels for $arch"
  local bundled
  bundled=$(find "$private/site" -name '*.so*' -printf '%f\n')
  found=$(grep -vxFf <(echo "$bundled") <<<"$found" | grep -vE "^($known)\.so\.[0-9]+$") || true
  [[ -z $found ]] || die 1 "wheels need libraries that debian/control does not name: ${found//$'\n'/ }"
}

system_files() {
  local from=$root/packaging
  install -D -m 644 -t "$tree/usr/lib/systemd/system" -- "$from"/systemd/*.service
  install -D -m 644 -t "$tree/usr/lib/udev/rules.d" -- "$from"/udev/*.rules
  install -D -m 644 -t "$tree/usr/share/polkit-1/rules.d" -- "$from"/polkit/*.rules
  install -D -m 644 -t "$tree/etc/pam.d" -- "$from"/pam/blackbox-kiosk
  install -D -m 644 -t "$tree/usr/share/applications" -- "$from"/desktop/*.desktop
  install -D -m 644 -t "$tree/usr/share/icons/hicolor/scalable/apps" -- "$from"/desktop/*.svg
  install -D -m 755 -t "$private" -- "$from"/desktop/open
  mkdir -p "$tree/etc/blackbox-qt"
  "$from/deb/conffile.sh" >"$tree/etc/blackbox-qt/config.toml"
}

debian_folder() {
  local debian=$work/source/debian
  mkdir -p "$debian"
  cp -r -- "$root"/packaging/deb/{control,changelog,copyright,rules,source} "$debian/"
  cp -- "$root"/packaging/deb/blackbox-qt.* "$debian/"
  cp -- "$root/packaging/sysusers/blackbox-qt.conf" "$debian/blackbox-qt.sysusers"
  cp -- "$root/packaging/tmpfiles/blackbox-qt.conf" "$debian/blackbox-qt.tmpfiles"
  mkdir -p "$work/source/docs"
  cp -- "$root/README.md" "$work/source/"
  cp -- "$root"/docs/{FORMAT,INSTALL,PI,POWER,TROUBLESHOOTING,ZERO-COPY}.md "$work/source/docs/" # a car has no internet
  cp -- "$root/packaging/README.md" "$work/source/docs/PACKAGE.md"
  if [[ ${PACKAGE_VERSION-} ]]; then sed -i "1s/(.*)/($PACKAGE_VERSION)/" "$debian/changelog"; fi
}

build() {
  (cd -- "$work/source" && dpkg-buildpackage --build=binary --no-sign --host-arch "$arch") >"$work/log" 2>&1 ||
    { tail -n 20 -- "$work/log" >&2 && die 1 "dpkg-buildpackage failed; all of it is in $work/log"; }
  deb=$(basename -- "$work"/blackbox-qt_*_"$arch".deb)
  mkdir -p "$out"
  mv -- "$work/$deb" "$out/$deb"
}

umask 022
rm -rf -- "$work"
say "fetching wheels for $arch"
our_code
their_wheels
check_needs
system_files
debian_folder
say "packing"
build
say "$out/$deb, $(du -h --apparent-size "$out/$deb" | cut -f1)"
if [[ ! ${PACKAGE_QUICK-} ]] && command -v lintian >/dev/null; then
  lintian --fail-on error --tag-display-limit 0 -- "$out/$deb" >&2 || die 4 "lintian has found errors"
fi
