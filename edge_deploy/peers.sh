#!/bin/sh
# The independent programs the tests speak with, from Debian's packages, where they are not there yet.
set -eu
missing=""
command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || missing="$missing mosquitto"
command -v mbpoll >/dev/null || missing="$missing mbpoll"
[ -e /usr/include/modbus/modbus.h ] || missing="$missing libmodbus-dev"
command -v gcc >/dev/null || missing="$missing gcc libc6-dev"
[ -z "$missing" ] && exit 0
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
