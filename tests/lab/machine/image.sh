#!/usr/bin/env bash
# Makes what the emulator boots from an unpacked Debian.
#
#   image.sh ROOT OUT [FREE_MB]
#
# OUT gets kernel, initrd.gz and root.img: an ext4 filled by mke2fs, nothing is mounted here.
set -euo pipefail

root=$1 out=$2 free_mb=${3:-700}
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

kernels=("$root"/usr/lib/modules/*)
kernel=${kernels[0]##*/}
cp -- "$root/boot/vmlinuz-$kernel" "$out/kernel"

# The modules that lead to the root disk, in the order in which they must be loaded.
modules_for_root() {
  local name
  for name in virtio_pci virtio_blk ext4; do
    modprobe -d "$root" -S "$kernel" --show-depends "$name" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
  done | awk '!seen[$0]++'
}

install -d "$work"/{bin,dev,proc,sys,modules,root}
install -m755 "$root/usr/bin/busybox" "$work/bin/busybox"
install -m755 "$here/initrd.sh" "$work/init"
modules_for_root | while read -r file; do
  name=$(basename -- "${file%.xz}")
  if [[ $file == *.xz ]]; then xz -dc "$file" >"$work/modules/$name"; else cp -- "$file" "$work/modules/$name"; fi
  echo "$name" >>"$work/modules/order"
done
(cd -- "$work" && find . | cpio --create --format=newc --quiet | gzip -1) >"$out/initrd.gz"

size_mb=$(($(du -sm --apparent-size "$root" | cut -f1) * 11 / 10 + free_mb))
rm -f -- "$out/root.img"
truncate -s "${size_mb}M" "$out/root.img"
mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1 -d "$root" "$out/root.img"
