//! Prints what a client did in an RTMP session, from the bytes that it sent.
//!
//! It shows `rtmp_proto::ServerSession` without a socket: bytes go in, events come out. The bytes
//! are the client's half of a connection, from the handshake on, such as a capture of it:
//!
//! ```text
//! nc -l 1935 > client.bin        # or one direction of a capture, e.g. from tshark or tcpflow
//! cargo run -p examples --example rtmp_events -- client.bin
//! cargo run -p examples --example rtmp_events -- - < client.bin
//! ```
//!
//! Every request is accepted. Nobody is there to read the answers, and so they are dropped.

use std::{
    error::Error,
    fs::File,
    io::{self, Read, Write},
    process::ExitCode,
    time::Instant,
};

use flv_mux::{AudioTagHeader, VideoFormat, VideoTagHeader};
use rtmp_proto::{MediaKind, MediaMessage, ServerConfig, ServerEvent, ServerOutput, ServerSession};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path] = arguments.as_slice() else {
        eprintln!("usage: rtmp_events FILE    (what an RTMP client sent; - for standard input)");
        return ExitCode::from(2);
    };
    match run(path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(path: &str) -> Result<(), Box<dyn Error>> {
    let mut input: Box<dyn Read> = match path {
        "-" => Box::new(io::stdin().lock()),
        path => Box::new(File::open(path)?),
    };
    let now = Instant::now();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut session = ServerSession::new(ServerConfig::default(), now);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = input.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        // Byte by byte, so that a request is accepted before what relies on it is read: a client
        // on the wire waits for the answer.
        let mut received = Ok(());
        for byte in buffer[..count].chunks(1) {
            received = session.receive(now, byte);
            // What came before an error is printed too.
            while let Some(output) = session.poll_output() {
                if let ServerOutput::Event(event) = output {
                    print(&event, &mut out)?;
                    accept(&mut session, &event)?;
                }
            }
            if received.is_err() {
                break;
            }
        }
        out.flush()?;
        received?;
    }
    let stats = session.stats();
    writeln!(
        out,
        "end: {} bytes, {} messages ignored",
        stats.received_bytes, stats.dropped_messages
    )?;
    if stats.partial_bytes > 0 {
        writeln!(out, "cut off: {} bytes of unfinished messages", stats.partial_bytes)?;
    }
    out.flush()?;
    Ok(())
}

fn accept(session: &mut ServerSession, event: &ServerEvent) -> Result<(), Box<dyn Error>> {
    match event {
        ServerEvent::ConnectRequested { id, .. }
        | ServerEvent::PublishRequested { id, .. }
        | ServerEvent::PlayRequested { id, .. } => Ok(session.accept(*id)?),
        _ => Ok(()),
    }
}

fn print(event: &ServerEvent, out: &mut impl Write) -> io::Result<()> {
    match event {
        ServerEvent::ConnectRequested { connect, .. } => writeln!(
            out,
            "connect: app {:?}, tcUrl {:?}, flashVer {:?}",
            connect.app, connect.tc_url, connect.flash_version
        ),
        ServerEvent::PublishRequested { msid, stream_name, kind, .. } => {
            writeln!(out, "publish: {stream_name:?} on stream {msid}, {}", kind.as_str())
        }
        ServerEvent::PlayRequested { msid, stream_name, start, duration, .. } => {
            writeln!(
                out,
                "play: {stream_name:?} on stream {msid}, start {start}, length {duration}"
            )
        }
        ServerEvent::Media { message, .. } => {
            let MediaMessage { kind, timestamp, payload } = message;
            writeln!(out, "{timestamp:>10} ms {:>8} bytes  {}", payload.len(), what(*kind, payload))
        }
        ServerEvent::PublishEnded { msid, reason } => {
            writeln!(out, "publish ended: stream {msid}, {reason:?}")
        }
        ServerEvent::PlayEnded { msid, reason } => {
            writeln!(out, "play ended: stream {msid}, {reason:?}")
        }
        other => writeln!(out, "{other:?}"),
    }
}

/// What an FLV tag body of this kind is: codec, and what it is for.
fn what(kind: MediaKind, body: &[u8]) -> String {
    match kind {
        MediaKind::Data => match rtmp_proto::amf0::decode(body, &Default::default()) {
            Ok((name, _)) => format!("data  {}", name.as_str().unwrap_or("without a name")),
            Err(error) => format!("data  ({error})"),
        },
        MediaKind::Audio => match AudioTagHeader::decode(body) {
            Ok((header, _)) => format!("audio {}", audio(&header)),
            Err(error) => format!("audio ({error})"),
        },
        MediaKind::Video => match VideoTagHeader::decode(body) {
            Ok((header, _)) => format!("video {}", video(&header)),
            Err(error) => format!("video ({error})"),
        },
    }
}

fn audio(header: &AudioTagHeader) -> String {
    let codec = match (header.four_cc(), header) {
        (Some(codec), _) => codec.to_string(),
        (None, AudioTagHeader::Plain { format, .. }) => format!("{format:?}"),
        (None, _) => "of several codecs".to_owned(),
    };
    codec + if header.is_sequence_header() { ", sequence header" } else { "" }
}

fn video(header: &VideoTagHeader) -> String {
    let codec = match (header.four_cc(), header.format) {
        (Some(codec), _) => codec.to_string(),
        (None, VideoFormat::Plain(codec) | VideoFormat::Packet { codec, .. }) => {
            format!("{codec:?}")
        }
        (None, _) => "of several codecs".to_owned(),
    };
    if header.is_sequence_header() {
        codec + ", sequence header"
    } else if header.is_keyframe() {
        format!("{codec}, keyframe, shown {} ms later", header.composition_time())
    } else if header.is_frame() {
        format!("{codec}, shown {} ms later", header.composition_time())
    } else {
        codec
    }
}
