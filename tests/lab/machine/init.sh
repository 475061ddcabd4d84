#!/bin/bash
# PID 1 of the guest where systemd is not wanted: mounts, devices, then the agent that obeys the host.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs -o mode=755 run /run
mkdir -p /dev/pts /dev/shm /run/lock
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
ip link set lo up
hostname lab
/usr/lib/systemd/systemd-udevd --daemon
/sbin/lab-project
/project/tests/lab/machine/prepare.sh
# The agent's children are this shell's when it dies; there is nothing else to reap.
/project/tests/lab/machine/agent.sh
echo "lab: the agent ended"
# Each waited for: sysrq's own `s` and `u` only begin their work, and `o` switches off in the middle of it.
sync
mount -o remount,ro / || echo "lab: the root disk is still in use"
echo o >/proc/sysrq-trigger
sleep 60
