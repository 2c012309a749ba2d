#!/usr/bin/env bash
# Installs what the tests need and runs them all. On Debian or Ubuntu packages come through apt;
# elsewhere install ffmpeg (with ffprobe) and rtmpdump first.
set -euo pipefail
cd "$(dirname "$0")"

packages=()
need() { # COMMAND PACKAGE
    command -v "$1" >/dev/null || packages+=("$2")
}
need cc gcc
need c++ g++
need ffmpeg ffmpeg
need ffprobe ffmpeg
need rtmpdump rtmpdump
if [ ${#packages[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || { echo "install first: ${packages[*]}" >&2; exit 1; }
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -q
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -q -y --no-install-recommends "${packages[@]}"
fi

# Most end-to-end tests wait for clips to play in real time: more of them at once than cores.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-6}
cargo test --workspace --locked "$@"
