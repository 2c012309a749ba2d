#!/usr/bin/env bash
# Installs what the tests need and runs them all. On Debian or Ubuntu packages come through apt;
# elsewhere install the programs below first.
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
[ -x /usr/sbin/nginx ] || need nginx nginx-light
need gst-launch-1.0 gstreamer1.0-tools
need python3 python3
need valgrind valgrind
need openssl openssl
need chromium chromium
command -v npm >/dev/null || need curl curl
module() { # PACKAGE, for what is no command
    dpkg -s "$1" >/dev/null 2>&1 || packages+=("$1")
}
if command -v dpkg >/dev/null; then
    module libnginx-mod-rtmp
    module gstreamer1.0-plugins-good
    module gstreamer1.0-plugins-bad
    python3 -m pip --version >/dev/null 2>&1 || packages+=(python3-pip)
fi
if [ ${#packages[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || { echo "install first: ${packages[*]}" >&2; exit 1; }
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    $sudo apt-get update -q
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -q -y --no-install-recommends "${packages[@]}"
fi

# Distributions' ffmpeg is too old to speak enhanced RTMP; this package brings a current one.
tools=${CARGO_TARGET_DIR:-target}/tools
if ! ls "$tools"/imageio_ffmpeg/binaries/ffmpeg-* >/dev/null 2>&1; then
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
        --target "$tools" imageio-ffmpeg==0.8.1
fi
# A WebRTC stack that shares no code with browsers.
if [ ! -d "$tools"/aiortc ]; then
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
        --target "$tools" aiortc==1.16.0 av==18.1.0
fi
# A player of HTTP-FLV for browsers.
if [ ! -f "$tools"/mpegts.js/dist/mpegts.js ]; then
    version=1.8.2
    sum=fc0632083671b7a5ee03fd80e479bdf9f20f41015b957969aaf86703fb1c7bc0
    folder=$(mktemp -d)
    if command -v npm >/dev/null; then
        (cd "$folder" && npm pack --silent "mpegts.js@$version" >/dev/null)
    else
        (cd "$folder" && curl -fsSLO "https://registry.npmjs.org/mpegts.js/-/mpegts.js-$version.tgz")
    fi
    sha256sum --quiet -c <<<"$sum  $folder/mpegts.js-$version.tgz"
    mkdir -p "$tools"/mpegts.js
    tar -xzf "$folder/mpegts.js-$version.tgz" --strip-components=1 -C "$tools"/mpegts.js
    rm -r "$folder"
fi

# Most end-to-end tests wait for clips to play in real time: more of them at once than cores.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-6}
cargo test --workspace --locked "$@"
