#!/usr/bin/env bash
# What an RTMP viewer costs: CPU, memory and delay of srs-server (as it comes, and with writes merged
# for 350 ms) and of nginx-rtmp, one after the other. Each server is pinned to core 0, the load to
# core 1. Build first: cargo build --release -p srs-server -p examples
#
# By environment: VIEWERS, KBPS, WARMUP and STEADY (seconds), PORT, BIN (the folder of the programs),
# SERVERS (any of "srs srs-350 nginx").
set -euo pipefail
cd "$(dirname "$0")/.."
VIEWERS=${VIEWERS:-500} KBPS=${KBPS:-600} WARMUP=${WARMUP:-5} STEADY=${STEADY:-15} PORT=${PORT:-19350}
BIN=${BIN:-${CARGO_TARGET_DIR:-target}/release}
SERVERS=${SERVERS:-srs srs-350 nginx}
url=rtmp://127.0.0.1:$PORT/live/livestream
dir=$(mktemp -d)
pids=()
stop() { # every process that was started, by its id
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    pids=()
}
trap 'stop; rm -rf "$dir"' EXIT

cat >"$dir/nginx.conf" <<END
load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
daemon off; master_process off; worker_processes 1;
pid $dir/nginx.pid; error_log $dir/nginx.log error;
events { worker_connections 4096; }
rtmp { access_log off; server { listen $PORT; application live { live on; } } }
END

serve() {
    local at=(SRS_LISTEN="$PORT" SRS_HTTP_SERVER_LISTEN=127.0.0.1:0 SRS_HTTP_API_LISTEN=127.0.0.1:0)
    case $1 in
    srs) exec env "${at[@]}" taskset -c 0 "$BIN/srs-server" ;;
    srs-350) exec env "${at[@]}" SRS_VHOST_PLAY_MW_LATENCY=350 taskset -c 0 "$BIN/srs-server" ;;
    nginx) exec taskset -c 0 nginx -c "$dir/nginx.conf" -p "$dir" -e "$dir/nginx.log" ;;
    *) echo "unknown server $1" >&2; exit 2 ;;
    esac
}
ticks() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"; } # utime + stime
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
json() { sed -n "/\"$1\"/,/}/ s/.*\"$2\": \([0-9.]*\).*/\1/p" "$dir/play.json"; }

printf '%-8s %13s %11s %8s %8s %8s %6s %6s\n' server 'CPU-ms/s/view' 'KiB/viewer' p50-ms p99-ms max-ms lost ended
for server in $SERVERS; do
    serve "$server" >"$dir/$server.log" 2>&1 &
    pid=$!
    pids+=("$pid")
    until (: <"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; do
        kill -0 "$pid" 2>/dev/null || { cat "$dir/$server.log" >&2; exit 1; }
        sleep 0.1
    done
    taskset -c 1 "$BIN/load" rtmp-publish --url "$url" --kbps "$KBPS" --seconds $((WARMUP + STEADY + 10)) \
        >"$dir/publish.json" 2>/dev/null &
    pids+=("$!")
    sleep 3
    alone=$(rss "$pid")
    # Starting takes the first 2 s of the warm-up, and the load outlasts what is measured.
    taskset -c 1 "$BIN/load" rtmp-play --url "$url" --clients "$VIEWERS" --ramp-ms 2000 \
        --seconds $((WARMUP + STEADY)) >"$dir/play.json" 2>/dev/null &
    play=$!
    pids+=("$play")
    sleep "$WARMUP"
    from=$(ticks "$pid") began=$(date +%s%N)
    sleep "$STEADY"
    to=$(ticks "$pid") ended=$(date +%s%N)
    with=$(rss "$pid")
    wait "$play" || true
    awk -v server="$server" -v cpu=$((to - from)) -v ns=$((ended - began)) -v n="$VIEWERS" -v hz="$(getconf CLK_TCK)" \
        -v kib=$((with - alone)) -v p50="$(json latency_ms p50)" -v p99="$(json latency_ms p99)" \
        -v max="$(json latency_ms max)" -v lost="$(sed -n 's/^  "lost": \([0-9]*\).*/\1/p' "$dir/play.json")" \
        -v gone="$(sed -n 's/^  "ended_early": \([0-9]*\).*/\1/p' "$dir/play.json")" 'BEGIN {
            printf "%-8s %13.3f %11.1f %8.1f %8.1f %8.1f %6d %6d\n",
                server, cpu * 1000 / hz / (ns / 1e9) / n, kib / n, p50, p99, max, lost, gone }'
    stop
done
