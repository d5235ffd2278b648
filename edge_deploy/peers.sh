#!/bin/sh
# The independent programs the tests speak with, from Debian's packages and npm, where they are not there yet.
set -eu
missing=""
command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || missing="$missing mosquitto"
command -v mosquitto_pub >/dev/null || missing="$missing mosquitto-clients"
command -v tinyproxy >/dev/null || [ -x /usr/sbin/tinyproxy ] || missing="$missing tinyproxy"
command -v microsocks >/dev/null || missing="$missing microsocks"
command -v mbpoll >/dev/null || missing="$missing mbpoll"
command -v victoria-metrics >/dev/null || missing="$missing victoria-metrics"
command -v chromium >/dev/null || missing="$missing chromium"
[ -e /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc ] || missing="$missing fonts-noto-cjk"
[ -e /usr/include/modbus/modbus.h ] || missing="$missing libmodbus-dev"
command -v socat >/dev/null || missing="$missing socat"
command -v systemd-analyze >/dev/null || missing="$missing systemd"
command -v iptables >/dev/null || missing="$missing iptables"
command -v strace >/dev/null || missing="$missing strace"
[ -n "$(find /usr/lib -name libfaketime.so.1 2>/dev/null)" ] || missing="$missing libfaketime"
command -v gcc >/dev/null || missing="$missing gcc libc6-dev"
command -v buildah >/dev/null || missing="$missing buildah"
command -v debootstrap >/dev/null || missing="$missing debootstrap"
command -v docker-compose >/dev/null || missing="$missing docker-compose"
command -v ip >/dev/null || missing="$missing iproute2"
if [ -n "$missing" ]; then
    echo "installing:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
for peer in opcua asyncapi; do
    folder="$(dirname "$0")/../tests/servers/$peer"
    if [ ! "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ]; then
        echo "installing: $peer"
        (cd "$folder" && npm ci --silent && touch node_modules/.package-lock.json)
    fi
done
