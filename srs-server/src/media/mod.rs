//! What the hub carries for this server: frames, and the wire forms made of them once per stream.

mod adts;
mod chunked;
mod clock;
mod codec;
mod dialect;
mod frame;
mod info;
mod ingest;
mod mix;
mod picture;
mod repair;
mod rtp;
mod slot;
mod sound;
mod ts;
mod unit;
mod wire;

pub use chunked::{LAST_CHUNK, chunked, put_chunk};
pub use codec::{AudioInfo, VideoInfo};
pub use dialect::{Codecs, Dialect};
pub use frame::{Frame, Origin};
pub use info::MediaInfo;
pub use ingest::{Ingest, IngestOptions, Timestamps};
pub use rtp::{KeyframeWish, RtpBody, RtpIngest, RtpItem, RtpSource};
pub use sound::{Aac, AacFrame, Mp3, Mp3Frame};
pub use ts::{Ts, TsUnit};
pub(crate) use unit::{Role, Unit};
pub use wire::{Flv, FlvTag, Rtmp, RtmpMessage, Wire, register};

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::{Bytes, BytesMut};
    use rtmp_proto::{MediaKind, MediaMessage, MessageStreamId};
    use stream_hub::{Convert, Output, TrackId, Variant};

    use super::*;

    /// Whatever a publisher sends: frames or nothing, in every dialect, and no panic.
    #[test]
    fn any_bytes_go_through_or_nowhere() {
        let mut random = fastrand::Rng::with_seed(7);
        let options = IngestOptions::new(&srs_config::Vhost::default());
        let (mut ingest, media) = (Ingest::new(options, None), MediaInfo::default());
        let none = Codecs::of(|_| false);
        let all = Dialect::new(MessageStreamId(1), 60_000);
        let dialects =
            [all, Dialect { codecs: Some(none), ..all }, Dialect { video: false, ..all }];
        let mut encoders =
            dialects.map(|dialect| wire::Encoder::new(wire::Rtmp::new(dialect.into())));
        let mut flv = wire::Encoder::new(wire::Flv);
        let mut ts = ts::TsEncoder::new();
        let mut aac = sound::SoundEncoder::<Aac>::new(Variant(0));
        let mut mp3 = sound::SoundEncoder::<Mp3>::new(Variant(0));
        for _ in 0..50_000 {
            let mut body = BytesMut::zeroed(random.usize(1..40));
            random.fill(&mut body);
            // Half of them begin as enhanced messages and records do.
            if random.bool() {
                let start = random.choice([
                    &b"\x90hvc1\x01"[..],
                    b"\x90av01\x81",
                    b"\x96\x10",
                    b"\x95\x21",
                    &[0x17, 0, 0, 0, 0, 1, 0x42, 0, 0x1e, 0xff, 0xe0, 0],
                    &[0x17, 1, 0, 0, 0, 0, 0, 0],
                    &[0xaf, 0, 0x12, 0x10],
                    &[0xaf, 1],
                    &[0x2f],
                ]);
                let start = start.unwrap_or_default();
                let len = start.len().min(body.len());
                body[..len].copy_from_slice(&start[..len]);
            }
            let kinds = [MediaKind::Audio, MediaKind::Video, MediaKind::Data];
            let kind = random.choice(kinds).unwrap_or(MediaKind::Data);
            let message =
                MediaMessage { kind, timestamp: random.u32(..), payload: Bytes::from(body) };
            let each = |frame| {
                for encoder in &mut encoders {
                    encoder.push(TrackId::default(), &frame, &mut Output::new())?;
                }
                ts.push(TrackId::default(), &frame, &mut Output::new())?;
                aac.push(TrackId::default(), &frame, &mut Output::new())?;
                mp3.push(TrackId::default(), &frame, &mut Output::new())?;
                flv.push(TrackId::default(), &frame, &mut Output::new())
            };
            ingest.push(message, Instant::now(), &media, each).unwrap();
        }
    }
}
