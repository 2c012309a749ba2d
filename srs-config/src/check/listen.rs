//! Addresses on which more than one service would listen.

use std::net::{IpAddr, SocketAddr};

use super::place;
use crate::{
    Config,
    block::codec::{Codec, Listen, join},
    reading::Reading,
};

/// Something that listens.
struct Service<'a> {
    /// The path of its block; empty for RTMP.
    block: &'static str,
    transport: Transport,
    addresses: &'a [SocketAddr],
    /// Services with the same letter share a port.
    family: Option<Family>,
}

#[derive(PartialEq)]
enum Transport {
    Tcp,
    Udp,
}

#[derive(PartialEq)]
enum Family {
    Http,
    Https,
}

use {Family::*, Transport::*};

pub(super) fn check(config: &Config, reading: &mut Reading<'_>) {
    let services = services(config);
    for (at, service) in services.iter().enumerate() {
        for (index, address) in service.addresses.iter().enumerate() {
            if service.addresses.iter().take(index).any(|other| collide(*address, *other)) {
                let path = service.path();
                let text = format!("`{path}` names {} twice", shown(*address));
                let position = place(&reading.findings, &service.places());
                reading.error(&position, text);
            }
        }
        for other in services.iter().take(at) {
            let shares = service.family.is_some() && service.family == other.family;
            if shares || service.transport != other.transport {
                continue;
            }
            let taken = |address: &&SocketAddr| {
                other.addresses.iter().any(|other| collide(**address, *other))
            };
            if let Some(address) = service.addresses.iter().find(taken) {
                let text = format!(
                    "`{}` and `{}` both listen on {}",
                    other.path(),
                    service.path(),
                    shown(*address)
                );
                let places = [service.places(), other.places()].concat();
                let position = place(&reading.findings, &places);
                reading.error(&position, text);
            }
        }
    }
    check_shared(config, reading);
}

/// One port for the API and for streams must be one over TLS too.
fn check_shared(config: &Config, reading: &mut Reading<'_>) {
    let (api, server) = (&config.http_api, &config.http_server);
    let are_served = api.enabled && server.enabled && api.https.enabled && server.https.enabled;
    if are_served && (api.listen == server.listen) != (api.https.listen == server.https.listen) {
        let paths = ["http_api.https.listen", "http_server.https.listen", "http_api.listen"];
        let position = place(&reading.findings, &paths);
        let text = "`http_api` and `http_server` must share both the port of HTTP and that of \
                    HTTPS, or neither";
        reading.error(&position, text.to_owned());
    }
}

fn services(config: &Config) -> Vec<Service<'_>> {
    let (api, server) = (&config.http_api, &config.http_server);
    let (rtc, rtsp, srt) = (&config.rtc_server, &config.rtsp_server, &config.srt_server);
    let mut all = vec![Service::new(true, "", Tcp, &config.listen)];
    all.extend([
        Service::new(config.rtmps.enabled, "rtmps", Tcp, &config.rtmps.listen),
        Service::new(api.enabled, "http_api", Tcp, &api.listen).of(Http),
        Service::new(server.enabled, "http_server", Tcp, &server.listen).of(Http),
        Service::new(rtc.enabled && rtc.tcp.enabled, "rtc_server.tcp", Tcp, &rtc.tcp.listen)
            .of(Http),
        Service::new(api.enabled && api.https.enabled, "http_api.https", Tcp, &api.https.listen)
            .of(Https),
        Service::new(
            server.enabled && server.https.enabled,
            "http_server.https",
            Tcp,
            &server.https.listen,
        )
        .of(Https),
        Service::new(config.exporter.enabled, "exporter", Tcp, &config.exporter.listen),
        Service::new(rtsp.enabled, "rtsp_server", Tcp, &rtsp.listen),
        Service::new(rtc.enabled, "rtc_server", Udp, &rtc.listen),
        Service::new(srt.enabled, "srt_server", Udp, &srt.listen),
    ]);
    for caster in &config.stream_casters {
        let by = match caster.caster.as_deref() {
            Some("mpegts_over_udp") => Udp,
            _ => Tcp,
        };
        let listen = caster.listen.as_deref().unwrap_or_default();
        all.push(Service::new(caster.enabled, "stream_caster", by, listen));
        if caster.enabled && caster.sip.enabled && caster.caster.as_deref() == Some("gb28181") {
            all.push(Service::new(true, "stream_caster.sip", Tcp, &caster.sip.listen));
        }
    }
    all
}

impl<'a> Service<'a> {
    /// A service; one that is not enabled listens nowhere.
    fn new(
        is_enabled: bool,
        block: &'static str,
        transport: Transport,
        addresses: &'a [SocketAddr],
    ) -> Self {
        let addresses = if is_enabled { addresses } else { &[] };
        Self { block, transport, addresses, family: None }
    }

    fn of(self, family: Family) -> Self {
        Self { family: Some(family), ..self }
    }

    fn path(&self) -> String {
        join(self.block, "listen")
    }

    /// The directives that make it listen.
    fn places(&self) -> Vec<String> {
        vec![self.path(), join(self.block, "enabled")]
    }
}

/// Whether both cannot be listened on. A service on every address of one kind takes those of the
/// other kind too.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    let is_same = one.port() == other.port() && one.port() != 0;
    is_same && (a == b || takes(a, b) || takes(b, a))
}

fn takes(any: IpAddr, other: IpAddr) -> bool {
    any.is_unspecified() && (any.is_ipv6() || other.is_ipv4())
}

/// An address as it is written in a file.
fn shown(address: SocketAddr) -> String {
    Listen.write(&vec![address]).join(" ")
}
