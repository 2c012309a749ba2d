//! The stream in plain RTP, a port for each track: for servers that take it that way.

use std::{
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use bytes::BytesMut;
use clap::{Args, value_parser};
use rtc_stack::{MediaKind, PayloadType, Ssrc};
use tokio::{
    net::UdpSocket,
    runtime,
    time::{Instant, sleep_until},
};

use super::{packetize::packetize, sender::Source};
use crate::{arguments::Rate, stream::Stream};

/// The payload types, as no description tells them.
pub(crate) const VIDEO_TYPE: u8 = 102;
pub(crate) const AUDIO_TYPE: u8 = 111;

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PlainOptions {
    /// Where H.264 goes, with payload type 102; a loopback address
    #[arg(long)]
    video: SocketAddr,
    /// Where Opus goes, with payload type 111; a loopback address
    #[arg(long)]
    audio: SocketAddr,
    /// How long to send
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    #[command(flatten)]
    rate: Rate,
}

/// Sends until the time is over.
pub(crate) fn run(options: PlainOptions) -> Result<(), Box<dyn Error + Send + Sync>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(send(options))
}

async fn send(options: PlainOptions) -> Result<(), Box<dyn Error + Send + Sync>> {
    let PlainOptions { video, audio, seconds, rate } = options;
    if let Some(other) = [video, audio].iter().find(|to| !to.ip().is_loopback()) {
        return Err(format!("{other}: only loopback addresses are allowed").into());
    }
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let source = |kind, number, clock_rate| {
        let payload_type = PayloadType::new(number).ok_or("no payload type")?;
        Ok::<_, &str>(Source::new(kind, Ssrc(fastrand::u32(1..)), payload_type, clock_rate))
    };
    let mut pictures = source(MediaKind::Video, VIDEO_TYPE, 90_000)?;
    let mut sound = source(MediaKind::Audio, AUDIO_TYPE, 48_000)?;
    let (mut stream, mut packet) = (Stream::opus(rate), BytesMut::new());
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    loop {
        let due = start + stream.due();
        if due >= end {
            return Ok(());
        }
        sleep_until(due).await;
        let frame = stream.next_frame();
        let (source, to) = match frame.kind {
            rtmp_proto::MediaKind::Video => (&mut pictures, video),
            _ => (&mut sound, audio),
        };
        source.begin(&frame);
        let payloads = packetize(&frame);
        for (place, payload) in (1..).zip(&payloads) {
            source.write(payload, place == payloads.len(), &mut packet);
            source.next += 1;
            // While nobody listens it is lost, as any datagram.
            let _ = socket.send_to(&packet, to).await;
        }
    }
}
