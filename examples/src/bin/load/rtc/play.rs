//! Plays by WHEP: counts all packets by their headers, and opens those of the probes.

use std::{convert::Infallible, time::Instant};

use bytes::BytesMut;
use rtc_stack::{
    MediaKind, Ssrc,
    rtcp::{Packet, Packets, ReportBlock, Writer},
    rtp::{Header, ReceiveStatistics, SequenceExtender},
    stun::{Kind, classify},
};

use super::{
    Endpoint, REPORT, every, ice,
    session::{Purpose, Session},
    socket::Socket,
};
use crate::{client::ClientError, player::Player, stamp::Stamp, target::Target, url::HttpUrl};

/// Plays until the server ends it.
pub(crate) async fn play(
    player: &mut Player<'_>,
    target: Target,
    url: HttpUrl,
    endpoint: &Endpoint,
) -> ClientError {
    let asked = Instant::now();
    let to = (target, &url);
    let (socket, session) =
        match Session::connect(player.report.index, to, endpoint, Purpose::Play).await {
            Ok(connected) => connected,
            Err(error) => return error,
        };
    player.connected();
    player.started(asked.elapsed());
    let mut playing = Playing { socket, receiver: Receiver::new(session) };
    match playing.run(player).await {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

struct Playing {
    socket: Socket,
    receiver: Receiver,
}

impl Drop for Playing {
    fn drop(&mut self) {
        // The time may be over in the middle of anything.
        self.receiver.session.close(&self.socket);
    }
}

impl Playing {
    async fn run(&mut self, player: &mut Player<'_>) -> Result<Infallible, ClientError> {
        let Self { socket, receiver } = self;
        let (mut consent, mut report) = (every(ice::CONSENT), every(REPORT));
        loop {
            let mut result = Ok(());
            let mut is_first = true;
            let take = |datagram: &mut [u8]| {
                if std::mem::take(&mut is_first) {
                    player.read(0);
                }
                if result.is_ok() {
                    result = receiver.take(datagram, socket, player);
                }
            };
            tokio::select! {
                received = socket.receive(take) => { received?; }
                _ = consent.tick() => receiver.session.consent(socket),
                _ = report.tick() => receiver.report(socket)?,
            }
            result?;
        }
    }
}

struct Receiver {
    session: Session,
    tracks: Vec<Track>,
    /// Who reports are from.
    ssrc: Ssrc,
}

/// A source of the server's.
struct Track {
    ssrc: Ssrc,
    is_video: bool,
    extender: SequenceExtender,
    statistics: ReceiveStatistics,
}

impl Receiver {
    fn new(session: Session) -> Self {
        let sections = session.negotiated.sections.iter();
        let tracks = sections.filter_map(|section| {
            let clock_rate = section.codecs.first()?.parameters.clock_rate;
            Some(Track {
                ssrc: section.remote_sources.first()?.ssrc,
                is_video: section.kind == MediaKind::Video,
                extender: SequenceExtender::default(),
                statistics: ReceiveStatistics::new(clock_rate),
            })
        });
        let tracks = tracks.collect();
        Self { session, tracks, ssrc: Ssrc(fastrand::u32(1..)) }
    }

    fn take(
        &mut self,
        datagram: &mut [u8],
        socket: &Socket,
        player: &mut Player<'_>,
    ) -> Result<(), ClientError> {
        player.bytes(datagram.len());
        match classify(datagram) {
            Kind::Dtls => return self.session.receive_dtls(datagram, socket),
            Kind::Rtcp => self.take_rtcp(datagram),
            Kind::Rtp => return self.take_rtp(datagram, player),
            Kind::Stun | Kind::Other => {}
        }
        Ok(())
    }

    fn take_rtp(
        &mut self,
        datagram: &mut [u8],
        player: &mut Player<'_>,
    ) -> Result<(), ClientError> {
        let Ok(header) = Header::parse(datagram) else { return Ok(()) };
        let fields = header.fields;
        // What is sent again has a source of its own: it is not asked for here.
        let Some(track) = self.tracks.iter_mut().find(|track| track.ssrc == fields.ssrc) else {
            return Ok(());
        };
        let newest = track.extender.newest();
        let number = track.extender.extend(fields.sequence);
        let ahead = newest.map(|newest| number.cast_signed() - newest.cast_signed());
        track.statistics.receive(number, fields.timestamp, Instant::now());
        let overhead = header.len() + self.session.inbound.profile().rtp_overhead();
        player.packet(datagram.len().saturating_sub(overhead), ahead, track.is_video);
        if !player.is_probe() || ahead.is_some_and(|ahead| ahead <= 0) {
            return Ok(());
        }
        let opened = self.session.inbound.open_rtp(datagram).map_err(ClientError::rtc)?;
        let payload = &datagram[header.len()..opened.len];
        Stamp::search(payload).into_iter().for_each(|stamp| player.stamped_packet(stamp));
        Ok(())
    }

    /// Notes the server's clock, which our reports repeat.
    fn take_rtcp(&mut self, datagram: &mut [u8]) {
        let Ok(length) = self.session.inbound.open_rtcp(datagram) else { return };
        for packet in Packets::new(&datagram[..length]).flatten() {
            if let Packet::SenderReport { ssrc, info, .. } = packet
                && let Some(track) = self.tracks.iter_mut().find(|track| track.ssrc == ssrc)
            {
                track.statistics.sender_report(info.time, Instant::now());
            }
        }
    }

    fn report(&mut self, socket: &Socket) -> Result<(), ClientError> {
        let now = Instant::now();
        let blocks: Vec<ReportBlock> = self
            .tracks
            .iter_mut()
            .filter_map(|track| track.statistics.report(track.ssrc, now))
            .collect();
        let mut compound = BytesMut::new();
        let mut writer = Writer::new(&mut compound);
        writer.receiver_report(self.ssrc, &blocks);
        writer.cname(self.ssrc, b"load");
        self.session.outbound.seal_rtcp(&mut compound, 0).map_err(ClientError::rtc)?;
        socket.send(&compound);
        Ok(())
    }
}
