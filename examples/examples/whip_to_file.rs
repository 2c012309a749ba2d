//! Writes what is published by WHIP into files, one for each track.
//!
//! ```text
//! cargo run -p examples --example whip_to_file -- 127.0.0.1:8000 recordings
//! ffmpeg -re -i clip.mp4 -c:v libx264 -bf 0 -c:a libopus -f whip http://127.0.0.1:8000/whip/live
//! ```
//!
//! H.264 and HEVC become Annex B streams, VP8, VP9 and AV1 IVF, Opus becomes Ogg: `ffplay` plays each.

mod http;

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use ogg::{PacketWriteEndInfo, PacketWriter};
use rtc_stack::{
    Codec, Limits,
    payload::{AccessUnit, Depacketizer, ReorderBuffer},
    rtp::RtpPacket,
    sfu::{Event, PeerId, Role},
    transport::server::RtcServer,
};

use http::AnyError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), AnyError> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| ".".to_owned()));
    let (address, mut offers) = http::listen(&address).await?;
    let mut rtc = RtcServer::bind(address, Limits::default())?;
    println!("listening on {address}");
    let mut names: HashMap<PeerId, String> = HashMap::new();
    let mut recordings: HashMap<(PeerId, u8), Recording> = HashMap::new();
    loop {
        tokio::select! {
            event = rtc.next() => match event? {
                Event::Track { peer, track, description } => {
                    let name = names.get(&peer).map_or("unknown", String::as_str);
                    let codec = description.parameters.codec;
                    if let Some(recording) = Recording::new(&folder, &format!("{name}-{track}"), codec)? {
                        recordings.insert((peer, track), recording);
                    }
                }
                Event::Packet { peer, track, packet } => {
                    let Some(recording) = recordings.get_mut(&(peer, track)) else { continue };
                    recording.take(packet)?;
                    if recording.depacketizer.awaits_keyframe() {
                        rtc.sfu().0.request_keyframe(peer, track)?;
                    }
                }
                Event::Closed { peer, .. } => {
                    recordings.retain(|(of, _), _| *of != peer);
                    names.remove(&peer);
                }
                _ => {}
            },
            Some(offer) = offers.recv() => {
                let accepted = rtc.accept(Role::Publisher, &offer.sdp);
                let answer = accepted.map(|(peer, answer)| {
                    // It becomes a file's name.
                    let is_plain = |letter: &char| letter.is_alphanumeric();
                    names.insert(peer, offer.name.chars().filter(is_plain).collect());
                    answer
                });
                offer.answer(answer.map_err(AnyError::from));
            }
        }
    }
}

/// A track on its way into its file.
struct Recording {
    reorder: ReorderBuffer,
    depacketizer: Depacketizer,
    units: Vec<AccessUnit>,
    first: Option<u64>,
    file: Container,
}

enum Container {
    /// NAL units behind start codes.
    AnnexB(File),
    /// Frames with their times; of AV1 each begins with a temporal delimiter.
    Ivf(File, Codec),
    Ogg(PacketWriter<'static, File>),
}

impl Recording {
    /// `None` for what has no payload format or no container here.
    fn new(folder: &Path, name: &str, codec: Codec) -> io::Result<Option<Self>> {
        let limits = Limits::default();
        let Some(depacketizer) = Depacketizer::new(codec, &limits) else { return Ok(None) };
        let create = |extension: &str| File::create(folder.join(format!("{name}.{extension}")));
        let file = match codec {
            Codec::H264 => Container::AnnexB(create("h264")?),
            Codec::H265 => Container::AnnexB(create("h265")?),
            Codec::Vp8 | Codec::Vp9 | Codec::Av1 => {
                let mut file = create("ivf")?;
                file.write_all(&ivf_header(codec))?;
                Container::Ivf(file, codec)
            }
            Codec::Opus => {
                let mut file = PacketWriter::new(create("ogg")?);
                // Two channels, no samples to skip, 48 kHz (RFC 7845, 5.1); then no comments.
                let head = b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0";
                file.write_packet(&head[..], 1, PacketWriteEndInfo::EndPage, 0)?;
                let tags = b"OpusTags\x04\0\0\0here\0\0\0\0";
                file.write_packet(&tags[..], 1, PacketWriteEndInfo::EndPage, 0)?;
                Container::Ogg(file)
            }
            _ => return Ok(None),
        };
        let reorder = ReorderBuffer::new(&limits);
        Ok(Some(Self { reorder, depacketizer, units: Vec::new(), first: None, file }))
    }

    fn take(&mut self, packet: RtpPacket) -> io::Result<()> {
        self.reorder.receive(packet);
        while let Some(packet) = self.reorder.poll(Instant::now()) {
            self.depacketizer.receive(&packet, &mut self.units);
        }
        for unit in self.units.drain(..) {
            let time = unit.timestamp - *self.first.get_or_insert(unit.timestamp);
            match &mut self.file {
                Container::AnnexB(file) => {
                    let coded = unit.units.iter().flat_map(|nal| [&[0, 0, 0, 1], &nal[..]]);
                    file.write_all(&coded.collect::<Vec<_>>().concat())?;
                }
                Container::Ivf(file, codec) => {
                    let delimiter: &[u8] = if *codec == Codec::Av1 { &[0x12, 0] } else { &[] };
                    let frame = [delimiter, &unit.units.concat()].concat();
                    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
                    file.write_all(
                        &[&length.to_le_bytes()[..], &time.to_le_bytes(), &frame].concat(),
                    )?;
                }
                // The position after the packet, which WebRTC makes of 20 ms.
                Container::Ogg(file) => {
                    for packet in unit.units {
                        file.write_packet(
                            packet.to_vec(),
                            1,
                            PacketWriteEndInfo::EndPage,
                            time + 960,
                        )?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The header of an IVF file: times in units of 1/90000 s; players find the size in the frames.
fn ivf_header(codec: Codec) -> Vec<u8> {
    let four_cc = match codec {
        Codec::Vp8 => b"VP80",
        Codec::Vp9 => b"VP90",
        _ => b"AV01",
    };
    [
        &b"DKIF\0\0\x20\0"[..],
        four_cc,
        &[0; 4],
        &90_000_u32.to_le_bytes(),
        &1_u32.to_le_bytes(),
        &[0; 8],
    ]
    .concat()
}
