//! `/metrics`, for Prometheus: SRS's names, and some of our own.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, text::encode},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::Registry,
};

use super::api::build_date;
use crate::{
    bridge::{Counters, Direction},
    net::{BOUNDS, Residence, Sum, Way},
    rtc::Rtc,
    server::Shared,
};

/// Where they are.
pub(super) const PATH: &str = "/metrics";

pub(super) fn router() -> Router<Arc<Shared>> {
    Router::new().route(PATH, get(metrics))
}

/// Metrics for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    shared.clients.refresh();
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Metrics(shared)));
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            (kind, classic(&text)).into_response()
        }
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// OpenMetrics in the older text format, as SRS has it: there a counter's whole name is described.
fn classic(text: &str) -> String {
    let mut classic = String::with_capacity(text.len());
    let mut lines = text.lines().filter(|line| *line != "# EOF").peekable();
    while let Some(line) = lines.next() {
        let kind = if line.starts_with("# HELP ") { lines.peek().copied() } else { Some(line) };
        let is_counter =
            kind.is_some_and(|kind| kind.starts_with("# TYPE ") && kind.ends_with(" counter"));
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what), Some(name), Some(rest)) if is_counter => {
                // A String takes whatever is written.
                let _ = write!(classic, "# {what} {name}_total {rest}");
            }
            _ => classic.push_str(line),
        }
        classic.push('\n');
    }
    classic
}

/// The numbers as they are when they are asked for.
#[derive(Debug)]
struct Metrics(Arc<Shared>);

type Labels = Vec<(&'static str, String)>;

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let shared = &self.0;
        let out = &mut encoder;
        if let Some(machine) = machine() {
            facts(out, "srs_node_uname_info", "The machine, as uname tells", machine)?;
        }
        facts(out, "srs_build_info", "The server", server(shared))?;

        let sample = shared.system.latest();
        let percent = sample.process_cpu * 100.0;
        gauge(out, "srs_cpu_percent", "CPU time per time; 100 is one core", percent)?;
        let kbyte = sample.reading.process.rss.saturating_mul(4);
        gauge(out, "srs_memory", "Resident memory, kbyte", kbyte)?;

        let (clients, streams) = (&shared.clients, &shared.streams);
        let meter = clients.meter();
        counter(out, "srs_send_bytes", "Bytes sent to clients", meter.sent())?;
        counter(out, "srs_receive_bytes", "Bytes received from clients", meter.received())?;
        gauge(out, "srs_streams", "Streams now", whole(streams.count()))?;
        gauge(out, "srs_clients", "Publishers and players now", whole(meter.clients()))?;
        counter(out, "srs_clients", "Publishers and players so far", clients.total())?;
        counter(out, "srs_clients_errs", "Those that ended by an error", clients.failed())?;

        let connections = whole(shared.connections());
        gauge(out, "srs_connections", "Connections of publishers and players now", connections)?;
        let kinds = Family::<Labels, Gauge>::default();
        for (kind, count) in clients.kinds() {
            let labels = vec![("type", kind.to_owned())];
            kinds.get_or_create(&labels).set(whole(count));
        }
        metric(
            out,
            "srs_clients_by_type",
            "Publishers and players now, by the API's type",
            &kinds,
        )?;

        let lost = Family::<Labels, Gauge>::default();
        for (stream, count) in lost_messages(shared) {
            lost.get_or_create(&vec![("stream", stream)]).set(whole(count));
        }
        let help = "Messages that players too slow for a live stream have lost";
        metric(out, "srs_stream_lost_messages", help, &lost)?;

        if let Some(rtc) = &shared.rtc {
            webrtc(out, rtc)?;
            bridges(out, &shared.bridges)?;
        }

        let help = "From the read of a publisher's socket to the write to a player's";
        metric(out, "srs_residence_seconds", help, &Stays(&shared.residences))
    }
}

/// What WebRTC has done.
fn webrtc(out: &mut DescriptorEncoder, rtc: &Rtc) -> fmt::Result {
    let (all, pending) = rtc.count();
    let sessions = Family::<Labels, Gauge>::default();
    for (state, count) in [("pending", pending), ("connected", all - pending)] {
        sessions.get_or_create(&vec![("state", state.to_owned())]).set(whole(count));
    }
    metric(out, "srs_rtc_sessions", "WebRTC sessions now, by whether they were seen", &sessions)?;

    let counters = rtc.counters();
    let now = |counter: &AtomicU64| counter.load(Relaxed);
    let ways = [("in", now(&counters.received)), ("out", now(&counters.sent))];
    by(out, "srs_rtc_datagrams", "Datagrams of WebRTC, by UDP and by TCP", "way", &ways)?;
    let help = "Datagrams of WebRTC that led nowhere";
    by(out, "srs_rtc_dropped_datagrams", help, "reason", &counters.dropped())?;
    let results = [("ok", now(&counters.handshakes)), ("failed", now(&counters.failed_handshakes))];
    by(out, "srs_rtc_handshakes", "DTLS handshakes", "result", &results)?;
    for (name, help, value) in [
        ("srs_rtc_handed_over", "Datagrams handed to another thread", &counters.handed_over),
        ("srs_rtc_nacks", "Packets asked for again, by either side", &counters.nacks),
        ("srs_rtc_retransmitted", "Packets sent again, by either side", &counters.retransmitted),
        ("srs_rtc_keyframe_requests", "PLI and FIR, by either side", &counters.keyframe_requests),
    ] {
        counter(out, name, help, now(value))?;
    }
    Ok(())
}

/// What the bridges between RTMP and WebRTC have done.
fn bridges(out: &mut DescriptorEncoder, counters: &Counters) -> fmt::Result {
    let running = Family::<Labels, Gauge>::default();
    let ways = [("rtmp_to_rtc", Direction::ToRtc), ("rtc_to_rtmp", Direction::FromRtc)];
    for (way, direction) in ways {
        let count = counters.running(direction);
        running.get_or_create(&vec![("way", way.to_owned())]).set(count.cast_signed());
    }
    metric(out, "srs_bridges", "Streams that are bridged now", &running)?;
    let frames = ways.map(|(way, direction)| (way, counters.frames(direction)));
    by(out, "srs_bridged_frames", "Pictures that bridges passed on", "way", &frames)?;
    let help = "Pictures, packets and sound that bridges left out";
    by(out, "srs_bridge_dropped", help, "what", &counters.dropped())
}

/// A counter with a label that has these values.
fn by(
    out: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    label: &'static str,
    values: &[(&str, u64)],
) -> fmt::Result {
    let family = Family::<Labels, Counter>::default();
    for (value, count) in values {
        family.get_or_create(&vec![(label, (*value).to_owned())]).inc_by(*count);
    }
    metric(out, name, help, &family)
}

/// How long messages stay, by the protocols that they come and go by: of each write the oldest.
struct Stays<'a>(&'a [Arc<Residence>]);

impl EncodeMetric for Stays<'_> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for way in Way::ALL {
            let mut sum = Sum::default();
            self.0.iter().for_each(|residence| residence.add_to(way, &mut sum));
            let bounds = BOUNDS.iter().map(|micros| *micros as f64 / 1e6).chain([f64::INFINITY]);
            let classes: Vec<_> = bounds.zip(sum.classes).collect();
            let (from, to) = way.names();
            let seconds = sum.micros as f64 / 1e6;
            encoder.encode_family(&[("from", from), ("to", to)])?.encode_histogram::<NoLabelSet>(
                seconds,
                sum.classes.iter().sum(),
                &classes,
                None,
            )?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// What the players of each stream have lost, where they have lost any.
fn lost_messages(shared: &Shared) -> BTreeMap<String, u64> {
    let streams = shared.hub.streams();
    let lost = streams.iter().map(|stream| {
        let lost = stream.lanes.iter().map(|lane| lane.lost_items).sum();
        (stream.key.to_string(), lost)
    });
    lost.filter(|(_, lost)| *lost > 0).collect()
}

/// The server, with the labels that the configuration gives it.
fn server(shared: &Shared) -> Labels {
    let config = shared.config();
    let mut labels = vec![
        ("server", shared.server_id.clone()),
        ("service", shared.service_id.clone()),
        ("pid", std::process::id().to_string()),
        ("build_date", build_date().to_owned()),
        ("major", env!("CARGO_PKG_VERSION_MAJOR").to_owned()),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("code", env!("CARGO_PKG_NAME").to_owned()),
    ];
    let own = [("label", &config.exporter.label), ("tag", &config.exporter.tag)];
    labels.extend(own.map(|(name, value)| (name, value.clone())));
    labels.retain(|(_, value)| !value.is_empty());
    labels
}

/// The machine, where the system tells.
#[cfg(unix)]
fn machine() -> Option<Labels> {
    let machine = nix::sys::utsname::uname().ok()?;
    let facts = [
        ("sysname", machine.sysname()),
        ("nodename", machine.nodename()),
        ("release", machine.release()),
        ("version", machine.version()),
        ("machine", machine.machine()),
    ];
    Some(facts.map(|(name, value)| (name, value.to_string_lossy().into_owned())).into())
}

/// The machine, where the system tells.
#[cfg(not(unix))]
fn machine() -> Option<Labels> {
    None
}

fn facts(out: &mut DescriptorEncoder, name: &str, help: &str, labels: Labels) -> fmt::Result {
    let family = Family::<Labels, Gauge>::default();
    family.get_or_create(&labels).set(1);
    metric(out, name, help, &family)
}

fn gauge<T>(out: &mut DescriptorEncoder, name: &str, help: &str, value: T) -> fmt::Result
where
    ConstGauge<T>: EncodeMetric,
{
    metric(out, name, help, &ConstGauge::new(value))
}

fn whole(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

fn counter(out: &mut DescriptorEncoder, name: &str, help: &str, value: u64) -> fmt::Result {
    metric(out, name, help, &ConstCounter::new(value))
}

fn metric(
    out: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    metric: &impl EncodeMetric,
) -> fmt::Result {
    metric.encode(out.encode_descriptor(name, help, None, metric.metric_type())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_described_by_their_whole_names() {
        let text = "# HELP a A thing.\n# TYPE a gauge\na 2\n\
                    # HELP a A thing.\n# TYPE a counter\na_total 1\n# EOF\n";
        let expected = "# HELP a A thing.\n# TYPE a gauge\na 2\n\
                        # HELP a_total A thing.\n# TYPE a_total counter\na_total 1\n";
        assert_eq!(classic(text), expected);
    }
}
