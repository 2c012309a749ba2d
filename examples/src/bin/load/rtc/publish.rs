//! Publishes by WHIP: sends each frame when it is due.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use rtc_stack::{
    MediaKind, PayloadType, Ssrc,
    rtcp::{NtpTime, SenderInfo, Writer},
    rtp::Fields,
    sdp::NegotiatedSection,
    stun::{Kind, classify},
};
use rtmp_proto::MediaMessage;
use tokio::time::{Instant, sleep_until};

use super::{
    Endpoint, REPORT, every, ice,
    packetize::packetize,
    session::{Purpose, Session},
    socket::Socket,
};
use crate::{client::ClientError, clock, publish::Publisher, target::Target, url::HttpUrl};

/// Publishes until `deadline`, or until the server ends it.
pub(crate) async fn publish(
    publisher: &mut Publisher<'_>,
    target: Target,
    url: HttpUrl,
    deadline: Instant,
    endpoint: &Endpoint,
) -> Result<(), ClientError> {
    let to = (target, &url);
    let (socket, session) =
        Session::connect(publisher.report.index, to, endpoint, Purpose::Publish).await?;
    publisher.shared.progress.connected.add(1);
    publisher.report.started = true;
    publisher.shared.progress.started.add(1);
    let mut sender = Sender::new(session);
    let result = run(publisher, &socket, &mut sender, deadline).await;
    sender.session.close(&socket);
    result
}

async fn run(
    publisher: &mut Publisher<'_>,
    socket: &Socket,
    sender: &mut Sender,
    deadline: Instant,
) -> Result<(), ClientError> {
    let (mut consent, mut report) = (every(ice::CONSENT), every(REPORT));
    let start = Instant::now();
    loop {
        let due = start + publisher.stream.due();
        if due >= deadline {
            return Ok(());
        }
        let mut result = Ok(());
        let session = &mut sender.session;
        let take = |datagram: &mut [u8]| {
            // What is asked for again is not sent again: nothing should be lost on one machine.
            if classify(datagram) == Kind::Dtls && result.is_ok() {
                result = session.receive_dtls(datagram, socket);
            }
        };
        tokio::select! {
            biased;
            () = sleep_until(due) => {
                let frame = publisher.stream.next_frame();
                sender.send(socket, &frame, publisher)?;
                // How late the frame was: then this program is too slow.
                publisher.shared.latency().add(due.elapsed());
            }
            _ = consent.tick() => sender.session.consent(socket),
            _ = report.tick() => sender.report(socket)?,
            received = socket.receive(take) => { received?; }
        }
        result?;
    }
}

struct Sender {
    session: Session,
    sources: Vec<Source>,
    packet: BytesMut,
}

/// A track that is sent.
pub(super) struct Source {
    kind: MediaKind,
    ssrc: Ssrc,
    payload_type: PayloadType,
    clock_rate: u32,
    /// SRTP's index, whose lower half is the sequence number.
    pub(super) next: u64,
    packets: u32,
    octets: u32,
    timestamp: u32,
}

impl Source {
    fn of(section: &NegotiatedSection) -> Option<Self> {
        let (codec, ssrc) = (section.codecs.first()?, section.local_source?.ssrc);
        Some(Self::new(section.kind, ssrc, codec.payload_type, codec.parameters.clock_rate))
    }

    pub(super) fn new(
        kind: MediaKind,
        ssrc: Ssrc,
        payload_type: PayloadType,
        clock_rate: u32,
    ) -> Self {
        let (next, packets, octets, timestamp) = (fastrand::u64(..1 << 15), 0, 0, 0);
        Self { kind, ssrc, payload_type, clock_rate, next, packets, octets, timestamp }
    }
}

impl Sender {
    fn new(session: Session) -> Self {
        let sources = session.negotiated.sections.iter().filter_map(Source::of).collect();
        Self { session, sources, packet: BytesMut::new() }
    }

    fn send(
        &mut self,
        socket: &Socket,
        frame: &MediaMessage,
        publisher: &mut Publisher<'_>,
    ) -> Result<(), ClientError> {
        let kind = match frame.kind {
            rtmp_proto::MediaKind::Video => MediaKind::Video,
            _ => MediaKind::Audio,
        };
        let Some(source) = self.sources.iter_mut().find(|source| source.kind == kind) else {
            return Ok(());
        };
        source.begin(frame);
        let payloads = packetize(frame);
        for (place, payload) in (1..).zip(&payloads) {
            let marker = kind == MediaKind::Video && place == payloads.len();
            let header = source.write(payload, marker, &mut self.packet);
            let overhead = self.session.outbound.profile().rtp_overhead();
            self.packet.put_bytes(0, overhead);
            let sealed = self.session.outbound.seal_rtp(header, source.next, &mut self.packet);
            sealed.map_err(ClientError::rtc)?;
            source.next += 1;
            socket.send(&self.packet);
            count(publisher, payload.len() as u64);
        }
        Ok(())
    }

    /// Tells what time the timestamps are.
    fn report(&mut self, socket: &Socket) -> Result<(), ClientError> {
        let wall = std::time::UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO);
        let mut compound = BytesMut::new();
        for source in self.sources.iter().filter(|source| source.packets > 0) {
            let Source { ssrc, packets, octets, timestamp, .. } = *source;
            let info = SenderInfo { time: NtpTime::from_unix(wall), timestamp, packets, octets };
            let mut writer = Writer::new(&mut compound);
            writer.sender_report(ssrc, &info, &[]);
            writer.cname(ssrc, b"load");
        }
        if !compound.is_empty() {
            self.session.outbound.seal_rtcp(&mut compound, 0).map_err(ClientError::rtc)?;
            socket.send(&compound);
        }
        Ok(())
    }
}

impl Source {
    /// The packets that follow are of this frame.
    pub(super) fn begin(&mut self, frame: &MediaMessage) {
        self.timestamp = frame.timestamp.wrapping_mul(self.clock_rate / 1_000);
    }

    /// Writes a packet over the one before, and gives the length of its header.
    pub(super) fn write(&mut self, payload: &Bytes, marker: bool, packet: &mut BytesMut) -> usize {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload.len() as u32);
        let Self { ssrc, payload_type, timestamp, .. } = *self;
        let sequence = self.next as u16;
        packet.clear();
        let fields = Fields { marker, payload_type, sequence, timestamp, ssrc };
        let header = fields.append(&[], packet);
        packet.put_slice(payload);
        header
    }
}

fn count(publisher: &mut Publisher<'_>, bytes: u64) {
    publisher.report.messages += 1;
    publisher.report.bytes += bytes;
    if clock::nanos() >= publisher.rules.settled {
        publisher.report.settled_bytes += bytes;
    }
    publisher.shared.progress.messages.add(1);
    publisher.shared.progress.bytes.add(bytes);
}
