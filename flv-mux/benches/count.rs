//! Instructions per tag, counted by callgrind: the same on every run and machine of an architecture.
//!
//! `cargo bench -p flv-mux --bench count` prints the table. Every row is run twice under valgrind,
//! for `TAGS` and twice as many, and the difference counted, so that what is done once does not
//! matter.

use std::process::{Command, ExitCode};

use bytes::{Bytes, BytesMut};
use flv_mux::{
    AudioTagHeader, Demuxer, FileSummary, Limits, NalLengthSize, Tag, TagKind, VideoTagHeader,
    is_annex_b, mux, video_to_enhanced, video_to_old,
};

const TAGS: usize = 1000;

type Row = (&'static str, fn(usize));

const ROWS: [Row; 9] = [
    ("demux, pieces of 1460 bytes", |count| demux(count, 1460)),
    ("demux, pieces of 16 KiB", |count| demux(count, 16 << 10)),
    ("demux with resync, pieces of 16 KiB", demux_resync),
    ("mux", mux_tags),
    ("classify, old form", |count| classify(count, false)),
    ("classify, enhanced form", |count| classify(count, true)),
    ("rewrite video to the other form", rewrite),
    ("detect annex b", detect),
    ("add to a file's summary", summarize),
];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|a| !a.starts_with("--b")).collect();
    match arguments.as_slice() {
        [name, count] => {
            let run = ROWS.iter().find(|row| row.0 == name).map(|row| row.1);
            if let (Some(run), Ok(count)) = (run, count.parse()) {
                run(count);
            }
            ExitCode::SUCCESS
        }
        [] => table(),
        // A check that it runs at all.
        _ => {
            ROWS.iter().for_each(|(_, run)| run(10));
            ExitCode::SUCCESS
        }
    }
}

fn table() -> ExitCode {
    println!("{:44}{:>14}", "instructions", "per tag");
    for (name, _) in ROWS {
        let Some(count) = counted(name) else {
            eprintln!("valgrind is needed, and did not run");
            return ExitCode::FAILURE;
        };
        println!("{name:44}{count:>14.0}");
    }
    ExitCode::SUCCESS
}

/// Instructions for one of `TAGS`.
fn counted(name: &str) -> Option<f64> {
    let total = |count: usize| -> Option<f64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args([name, &count.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().find(|line| line.contains("Collected :"))?;
        line.split_whitespace().last()?.parse().ok()
    };
    Some((total(2 * TAGS)? - total(TAGS)?) / TAGS as f64)
}

/// Two of video, 3000 bytes each, and three of audio, 200 bytes each, in turn.
fn tags(is_enhanced: bool) -> [Tag; 5] {
    [3000, 200, 3000, 200, 200].map(|len| {
        let (kind, header): (_, &[u8]) = match (len, is_enhanced) {
            (3000, false) => (TagKind::Video, &[0x27, 1, 0, 0, 80]),
            (3000, true) => (TagKind::Video, b"\xa1hvc1\0\0\x50"),
            (_, false) => (TagKind::Audio, &[0xaf, 1]),
            (_, true) => (TagKind::Audio, b"\x91Opus"),
        };
        let mut body = vec![0x5a; len];
        body[..header.len()].copy_from_slice(header);
        Tag::new(kind, 40, Bytes::from(body))
    })
}

/// Forty tags, to be used again and again.
fn round() -> BytesMut {
    let mut out = BytesMut::new();
    for tag in std::iter::repeat_n(tags(false), 8).flatten() {
        let _ = tag.encode(&mut out);
    }
    out
}

fn feed(mut demuxer: Demuxer, count: usize, piece: usize) {
    let mut prefix = BytesMut::new();
    mux::encode_header(&mut prefix, true, true);
    demuxer.receive(&prefix);
    let round = round();
    for _ in 0..count / 40 {
        for piece in round.chunks(piece) {
            demuxer.receive(piece);
            while let Ok(Some(tag)) = demuxer.poll_tag() {
                std::hint::black_box(tag);
            }
        }
    }
}

fn demux(count: usize, piece: usize) {
    feed(Demuxer::new(Limits::default()), count, piece);
}

fn demux_resync(count: usize) {
    feed(Demuxer::with_resync(Limits::default()), count, 16 << 10);
}

fn mux_tags(count: usize) {
    let tags = tags(false);
    let mut out = BytesMut::with_capacity(1 << 16);
    for _ in 0..count / tags.len() {
        out.clear();
        for tag in &tags {
            let _ = mux::encode_tag(&mut out, tag.kind, tag.timestamp, &tag.body);
        }
        std::hint::black_box(&out);
    }
}

fn classify(count: usize, is_enhanced: bool) {
    let tags = tags(is_enhanced);
    for tag in tags.iter().cycle().take(count) {
        let tag = std::hint::black_box(tag);
        std::hint::black_box(match tag.kind {
            TagKind::Video => VideoTagHeader::decode(&tag.body).is_ok_and(|(h, _)| h.is_keyframe()),
            _ => AudioTagHeader::decode(&tag.body).is_ok_and(|(h, _)| h.is_frame()),
        });
    }
}

fn rewrite(count: usize) {
    let (old, enhanced) = (&tags(false)[0].body, &tags(true)[0].body);
    for _ in 0..count / 2 {
        let _ = std::hint::black_box(video_to_enhanced(std::hint::black_box(old)));
        let _ = std::hint::black_box(video_to_old(std::hint::black_box(enhanced)));
    }
}

fn detect(count: usize) {
    let unit = [&[0, 0, 1, 0xf0][..], &[0x5a; 0x1f0]].concat();
    for _ in 0..count {
        std::hint::black_box(is_annex_b(std::hint::black_box(&unit), NalLengthSize::Four));
    }
}

fn summarize(count: usize) {
    let tags = tags(false);
    let mut summary = FileSummary::new();
    for tag in tags.iter().cycle().take(count) {
        summary.add(std::hint::black_box(tag));
    }
    std::hint::black_box(&summary);
}
