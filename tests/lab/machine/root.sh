#!/usr/bin/env bash
# Unpacks a Debian for arm64 into a folder.
#
#   root.sh FOLDER MIRROR PYTHON REQUIREMENTS CONSTRAINTS [PACKAGE...]
#
# Packages are only unpacked: no maintainer script and no foreign program runs here, so nothing but a Debian of any
# machine type is needed. The little that those scripts would have done and the lab needs is done below.
# PYTHON: one whose pip fetches the wheels; REQUIREMENTS, CONSTRAINTS: files for it. PACKAGE: more Debian packages.
set -euo pipefail

folder=$1 mirror=$2 python=$3 requirements=$4 constraints=$5
shift 5
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
suite=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

listed() { sed -e 's/ *#.*//' -e '/^$/d' "$here/packages.txt"; }

# Only what is marked comes from backports, and what it is built together with.
{
  echo 'Package: src:libcamera src:libpisp src:mesa'
  echo "Pin: release n=$suite-backports"
  echo 'Pin-Priority: 600'
} >"$work/pin"

debian() {
  local names part
  names=$({ listed | cut -d' ' -f1; printf '%s\n' "$@"; } | sed '/^$/d' | paste -sd,)
  local sources=()
  for part in $suite $suite-updates $suite-backports; do
    sources+=("deb [signed-by=$keyring] $mirror $part main")
  done
  mmdebstrap --quiet --mode=root --variant=extract --architectures=arm64 --keyring="$keyring" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries "3"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --setup-hook="install -D -m644 '$work/pin' \"\$1\"/etc/apt/preferences.d/backports" \
    --include="$names" "$suite" "$folder" "${sources[@]}"
}

# What maintainer scripts would have done.
settle() {
  local lib=$folder/usr/lib/aarch64-linux-gnu name kernel
  for name in passwd group; do
    [[ -e $folder/etc/$name ]] || cp -- "$folder/usr/share/base-passwd/$name.master" "$folder/etc/$name"
  done
  [[ -e $folder/usr/bin/awk ]] || ln -s mawk "$folder/usr/bin/awk"
  for name in blas lapack; do # numpy's; alternatives otherwise
    [[ ! -d $lib/$name ]] || ln -sf "$name/lib$name.so.3" "$lib/lib$name.so.3"
  done
  for kernel in "$folder"/usr/lib/modules/*; do depmod -b "$folder" "${kernel##*/}"; done
  echo lab >"$folder/etc/hostname"
  echo '127.0.0.1 localhost lab' >"$folder/etc/hosts"
}

# Wheels for the guest, fetched by the host's pip with the host's own pip configuration.
wheels() {
  local site=$folder/usr/local/lib/python3.13/dist-packages minor
  local for_guest=(--python-version 3.13 --implementation cp --abi cp313 --abi abi3 --abi none --only-binary ':all:')
  for_guest+=(--platform manylinux2014_aarch64)
  for minor in {17..41}; do for_guest+=(--platform "manylinux_2_${minor}_aarch64"); done # trixie's C library is 2.41
  pip() {
    "$python" -m pip install -qq --disable-pip-version-check --no-input --no-compile --root-user-action=ignore \
      --target "$site" "${for_guest[@]}" "$@"
  }
  pip --requirement "$requirements" --constraint "$constraints"
  rm -rf "$site"/numpy "$site"/numpy-* "$site"/numpy.libs # as on a Pi: the system's
  pip --no-deps --requirement "$here/wheels.txt"
  cp -r -- "$here/stubs/." "$site/"
}

debian "$@"
settle
wheels
install -D -m644 "$here/virtual.yaml" "$folder/usr/share/libcamera/pipeline/virtual/virtual.yaml"
install -m755 "$here/init.sh" "$folder/sbin/lab-init"
install -m755 "$here/project.sh" "$folder/sbin/lab-project"
install -D -m644 "$here/lab-agent.service" "$folder/etc/systemd/system/lab-agent.service"
install -d "$folder/etc/systemd/system/multi-user.target.wants" "$folder/project" "$folder/out"
ln -sf ../lab-agent.service "$folder/etc/systemd/system/multi-user.target.wants/lab-agent.service"
