#!/bin/busybox sh
# shellcheck shell=dash
# The first program of the guest: finds the root disk by its serial number and hands over to lab.init=PROGRAM.
bb=/bin/busybox
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
while read -r module; do $bb insmod "/modules/$module"; done </modules/order

init=/sbin/lab-init
for word in $($bb cat /proc/cmdline); do
  case $word in lab.init=*) init=${word#lab.init=} ;; esac
done

disk='' tries=0
while [ -z "$disk" ] && [ $tries -lt 200 ]; do
  for block in /sys/block/vd*; do
    if [ "$($bb cat "$block/serial" 2>/dev/null)" = root ]; then disk=/dev/${block##*/}; fi
  done
  [ -n "$disk" ] || $bb sleep 0.05
  tries=$((tries + 1))
done
$bb mount -t ext4 -o rw,noatime "$disk" /root || echo "lab: no root disk"
for folder in dev sys proc; do $bb mount --move /$folder /root/$folder; done
exec $bb switch_root /root "$init"
