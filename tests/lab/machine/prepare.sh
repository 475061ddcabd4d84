#!/bin/bash
# What the lab adds to a running Debian: the host's folders, a way to talk to it, and cameras on the V4L2 side.
set -eu
modprobe -a virtio_console 9pnet_virtio 9p loop
mkdir -p /project /out /run/lab
# The project never changes while the machine runs, so that its files may be kept.
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose project /project
mount -t 9p -o rw,trans=virtio,version=9p2000.L,msize=512000,cache=none out /out
# Two cameras that only capture, each with one input like a webcam.
modprobe vivid n_devs=2 node_types=0x1,0x1 num_inputs=1,1 input_types=0x0,0x0 num_outputs=0,0
udevadm trigger --action=add --subsystem-match=block --subsystem-match=video4linux
udevadm settle --timeout=20
