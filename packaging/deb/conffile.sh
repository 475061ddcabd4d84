#!/bin/sh
# Prints the package's /etc/blackbox-qt/config.toml: the default configuration with the system's two folders,
# and with the camera that is plugged in: a box in a car must not record a test picture because nobody named one.
set -eu
cat <<'TEXT'
# What blackbox-recorder.service reads. After a change: sudo systemctl restart blackbox-recorder
# Kept by upgrades, removed by purge.
#
TEXT
exec sed -e 's|^source = .*|source = "auto"|' \
  -e 's|^data = .*|data = "/srv/blackbox"|' -e 's|^state = .*|state = "/var/lib/blackbox-qt"|' \
  -- "$(dirname -- "$0")/../../resources/default.toml"
