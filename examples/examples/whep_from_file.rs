//! Plays a file over and over to whoever comes by WHEP.
//!
//! ```text
//! cargo run -p examples --example whep_from_file -- 127.0.0.1:8000 clip.ivf
//! ```
//!
//! An IVF file of VP8, VP9 or AV1 is played by its own times; a file of H.264 behind start codes
//! (`.h264`) at 25 pictures a second. The players' address is `http://127.0.0.1:8000/whep/` and any name.

mod http;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rtc_stack::{
    Codec, CodecParameters, Limits, PayloadType, Ssrc,
    payload::{DEFAULT_PAYLOAD, Packetizer},
    rtp::Fields,
    sfu::{Role, Track, TrackPacket},
    transport::server::RtcServer,
};
use tokio::time::sleep_until;

use http::AnyError;

/// Of a file without times.
const PICTURE: Duration = Duration::from_millis(40);

/// A picture, when it is shown, and the units that a packetizer takes.
struct Picture {
    time: Duration,
    units: Vec<Bytes>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let path = arguments.next().ok_or("which file?")?;
    let (codec, pictures) = read(Path::new(&path))?;
    let last = pictures.last().ok_or("the file has no picture")?;
    let length = last.time + PICTURE;
    let (address, mut offers) = http::listen(&address).await?;
    let mut rtc = RtcServer::bind(address, Limits::default())?;
    println!("listening on {address}");
    let stream = rtc.sfu().0.open_stream(&[Track::new(CodecParameters::new(codec))])?;
    let mut packetizer = Packetizer::new(codec, DEFAULT_PAYLOAD).ok_or("no payload format")?;
    let (mut sequence, mut next, mut payloads) = (0, 0, Vec::new());
    let (mut begun, mut before) = (Instant::now(), Duration::ZERO);
    loop {
        let picture = &pictures[next];
        let due = begun + picture.time;
        tokio::select! {
            // Handshakes and keyframe requests need nothing from us: there is a keyframe in each round.
            event = rtc.next() => drop(event?),
            Some(offer) = offers.recv() => {
                let accepted = rtc.accept(Role::Viewer, &offer.sdp);
                let answer = accepted.map_err(AnyError::from).and_then(|(peer, answer)| {
                    let (sfu, out) = rtc.sfu();
                    sfu.attach(Instant::now(), peer, stream, &[], out)?;
                    Ok(answer)
                });
                offer.answer(answer);
            }
            () = sleep_until(due.into()) => {
                let now = Instant::now();
                packetizer.packetize(picture.units.iter().cloned(), &mut payloads)?;
                let ticks = (before + picture.time).as_micros() * 9 / 100;
                let fields = Fields {
                    payload_type: PayloadType::from_wire(96),
                    // Its lower 32 bits are what a packet has.
                    timestamp: ticks as u32,
                    ssrc: Ssrc(1),
                    ..Fields::default()
                };
                let mut packets = Vec::new();
                for payload in payloads.drain(..) {
                    let packet = payload.to_packet(fields, sequence, now, codec)?;
                    packets.push(TrackPacket { track: 0, packet });
                    sequence += 1;
                }
                let (sfu, out) = rtc.sfu();
                sfu.forward(now, stream, &packets, out);
                next += 1;
                if next == pictures.len() {
                    (next, begun, before) = (0, begun + length, before + length);
                }
            }
        }
    }
}

fn read(path: &Path) -> Result<(Codec, Vec<Picture>), AnyError> {
    let file = Bytes::from(std::fs::read(path)?);
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("ivf") => read_ivf(&file),
        Some("h264") => Ok((Codec::H264, read_h264(&file))),
        _ => Err("neither .ivf nor .h264".into()),
    }
}

fn read_ivf(file: &Bytes) -> Result<(Codec, Vec<Picture>), AnyError> {
    let number = |at: usize| {
        let bytes = file.get(at..at + 4).ok_or("the file ends early")?;
        Ok::<_, AnyError>(u32::from_le_bytes(bytes.try_into()?))
    };
    let codec = match file.get(8..12) {
        Some(b"VP80") => Codec::Vp8,
        Some(b"VP90") => Codec::Vp9,
        Some(b"AV01") => Codec::Av1,
        _ => return Err("no IVF file of VP8, VP9 or AV1".into()),
    };
    let unit = f64::from(number(20)?) / f64::from(number(16)?.max(1));
    let (mut at, mut pictures) = (32, Vec::new());
    while at + 12 <= file.len() {
        let length = usize::try_from(number(at)?)?;
        let time = Duration::from_secs_f64(f64::from(number(at + 4)?) * unit);
        let end = (at + 12 + length).min(file.len());
        pictures.push(Picture { time, units: vec![file.slice(at + 12..end)] });
        at = end;
    }
    Ok((codec, pictures))
}

/// A picture ends before a unit that no slice can be behind, or a slice that begins a picture.
fn read_h264(file: &Bytes) -> Vec<Picture> {
    let mut pictures: Vec<Picture> = Vec::new();
    let mut has_slice = true;
    for nal in flv_mux::annex_b_units(file).filter(|nal| nal.len() > 1) {
        let is_slice = matches!(nal[0] & 0x1f, 1 | 5);
        if has_slice && (!is_slice || nal[1] & 0x80 != 0) {
            let time = PICTURE * u32::try_from(pictures.len()).unwrap_or(u32::MAX);
            pictures.push(Picture { time, units: Vec::new() });
            has_slice = false;
        }
        has_slice |= is_slice;
        if let Some(picture) = pictures.last_mut() {
            picture.units.push(file.slice_ref(nal));
        }
    }
    pictures
}
