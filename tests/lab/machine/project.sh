#!/bin/bash
# Unpacks the host's copy of the project. Asking the host for each file would take a Python program ten seconds.
set -eu
modprobe -a 9pnet_virtio 9p
mount -t 9p -o rw,trans=virtio,version=9p2000.L,msize=512000,cache=none out /out
mount -t tmpfs -o mode=755 project /project
tar -xf /out/project.tar -C /project
mount -o remount,ro /project
