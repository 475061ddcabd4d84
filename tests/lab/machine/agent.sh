#!/bin/bash
# The agent and what every command in the guest finds in its environment.
export HOME=/root LANG=C.UTF-8 XDG_RUNTIME_DIR=/run/lab
export PYTHONPATH=/project:/project/tests/lab/shims
export PYTHONPYCACHEPREFIX=/var/cache/pycache # compiled once, when the machine was built
export BLACKBOX_LAB_GUEST=1 LIBCAMERA_LOG_LEVELS='*:WARN'
mkdir -p /run/lab "$PYTHONPYCACHEPREFIX"
exec python3 -I /project/tests/lab/machine/agent.py
