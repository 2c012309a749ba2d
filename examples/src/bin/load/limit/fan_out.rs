//! The same bytes to all: one write per player and window.

use std::{
    error::Error,
    io::{self, Write},
    net::TcpStream,
    time::Duration,
};

use bytes::BytesMut;
use flv_mux::{TagKind, mux};
use rtmp_proto::{MediaKind, MediaMessage, ServerConfig, chunk::MediaEncoder};
use tokio::{
    select,
    sync::mpsc::UnboundedReceiver,
    task::yield_now,
    time::{Instant, sleep_until},
};

use super::setup::PLAY_MSID;
use crate::stream::Stream;

/// What may wait for a player that reads too slowly; then it is closed.
const MAX_PENDING: usize = 1024 * 1024;

/// Writes to all players for as long as they can join.
pub(super) async fn run(
    mut stream: Stream,
    window: Duration,
    mut joining: UnboundedReceiver<Viewer>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut viewers: Vec<Viewer> = Vec::new();
    let mut forms = Forms::default();
    for message in stream.headers()? {
        forms.push(&message, false)?;
    }
    forms.end_headers();
    let start = Instant::now();
    let mut pass = start + window;
    loop {
        // Whoever is late has no time to wait, and would keep those who answer from running.
        yield_now().await;
        while let Ok(viewer) = joining.try_recv() {
            viewers.extend(forms.admit(viewer));
        }
        let due = start + stream.due();
        // Frames get their time when they are due, and wait for the pass as with any server.
        select! {
            () = sleep_until(due) => {
                let (message, is_key) = stream.next_with_kind();
                forms.push(&message, is_key)?;
            }
            () = sleep_until(pass), if !window.is_zero() => {
                forms.end_window();
                viewers.retain_mut(|viewer| viewer.write(forms.window(viewer.form)).is_ok());
                forms.begin_window();
                // A pass that took too long is followed by the next that is due.
                while pass <= Instant::now() {
                    pass += window;
                }
            }
            joined = joining.recv() => {
                let Some(viewer) = joined else { return Ok(()) };
                viewers.extend(forms.admit(viewer));
            }
        }
        if window.is_zero() && !forms.is_empty() {
            forms.end_window();
            viewers.retain_mut(|viewer| viewer.write(forms.window(viewer.form)).is_ok());
            forms.begin_window();
        }
    }
}

/// The form in which a player wants the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Rtmp,
    Flv,
}

/// A player that only gets.
#[derive(Debug)]
pub(super) struct Viewer {
    socket: TcpStream,
    form: Form,
    pending: Vec<u8>,
}

impl Viewer {
    pub(super) fn new(socket: TcpStream, form: Form) -> Self {
        Self { socket, form, pending: Vec::new() }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.pending.is_empty() {
            let written = accepted(self.socket.write(&self.pending))?;
            self.pending.drain(..written);
        }
        let written = match self.pending.is_empty() {
            true => accepted(self.socket.write(bytes))?,
            false => 0,
        };
        if self.pending.len() + bytes.len() - written > MAX_PENDING {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.pending.extend_from_slice(&bytes[written..]);
        Ok(())
    }
}

/// How much a write took: nothing is no error.
fn accepted(written: io::Result<usize>) -> io::Result<usize> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        written => written,
    }
}

/// The stream in each form.
#[derive(Debug, Default)]
struct Forms {
    rtmp: Bytes,
    flv: Bytes,
    /// The window as one chunk of an HTTP body.
    flv_chunk: Vec<u8>,
}

/// The bytes of one form.
#[derive(Debug, Default)]
struct Bytes {
    headers: Vec<u8>,
    /// What was written since the last keyframe.
    gop: Vec<u8>,
    /// What is to be written next, and where in it the last keyframe is.
    window: BytesMut,
    key: Option<usize>,
}

impl Forms {
    fn push(
        &mut self,
        message: &MediaMessage,
        is_key: bool,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        for form in [&mut self.rtmp, &mut self.flv] {
            form.key = if is_key { Some(form.window.len()) } else { form.key };
        }
        let encoder = MediaEncoder::new(PLAY_MSID, ServerConfig::default().chunk_size);
        encoder.encode(message, &mut self.rtmp.window)?;
        let kind = match message.kind {
            MediaKind::Audio => TagKind::Audio,
            MediaKind::Video => TagKind::Video,
            MediaKind::Data => TagKind::Script,
        };
        Ok(mux::encode_tag(&mut self.flv.window, kind, message.timestamp, &message.payload)?)
    }

    /// What was pushed so far is what each player gets first.
    fn end_headers(&mut self) {
        let mut prefix = BytesMut::new();
        mux::encode_header(&mut prefix, true, true);
        self.rtmp.headers = self.rtmp.window.split().to_vec();
        self.flv.headers = [&prefix[..], &self.flv.window.split()].concat();
    }

    fn is_empty(&self) -> bool {
        self.rtmp.window.is_empty()
    }

    fn end_window(&mut self) {
        self.flv_chunk.clear();
        if !self.flv.window.is_empty() {
            self.flv_chunk = chunk(&[&self.flv.window]);
        }
    }

    fn window(&self, form: Form) -> &[u8] {
        match form {
            Form::Rtmp => &self.rtmp.window,
            Form::Flv => &self.flv_chunk,
        }
    }

    fn begin_window(&mut self) {
        for form in [&mut self.rtmp, &mut self.flv] {
            let from = form.key.take().inspect(|_| form.gop.clear()).unwrap_or(0);
            form.gop.extend_from_slice(&form.window[from..]);
            form.window.clear();
        }
    }

    /// Writes what a player gets first; `None` if it has gone.
    fn admit(&self, mut viewer: Viewer) -> Option<Viewer> {
        viewer.write(&self.replay(viewer.form)).ok().map(|()| viewer)
    }

    /// What a player gets that joins.
    fn replay(&self, form: Form) -> Vec<u8> {
        match form {
            Form::Rtmp => [&self.rtmp.headers[..], &self.rtmp.gop].concat(),
            Form::Flv => chunk(&[&self.flv.headers, &self.flv.gop]),
        }
    }
}

/// A chunk of an HTTP body.
fn chunk(parts: &[&[u8]]) -> Vec<u8> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    [format!("{len:x}\r\n").as_bytes(), &parts.concat(), b"\r\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(forms: &mut Forms, byte: u8, is_key: bool) {
        let payload = vec![byte; 3].into();
        let message = MediaMessage { kind: MediaKind::Video, timestamp: 0, payload };
        forms.push(&message, is_key).unwrap();
    }

    /// The payloads in FLV tags of three bytes.
    fn bytes(tags: &[u8]) -> Vec<u8> {
        tags.chunks(18).map(|tag| tag[11]).collect()
    }

    #[test]
    fn a_player_joins_at_the_last_keyframe_and_misses_nothing() {
        let mut forms = Forms::default();
        push(&mut forms, 0, false);
        forms.end_headers();
        for (window, replayed) in [
            (&[(1, true), (2, false)][..], &[][..]),
            (&[(3, false)], &[1, 2]),
            (&[(4, false), (5, true), (6, false)], &[1, 2, 3]),
            (&[(7, false)], &[5, 6]),
        ] {
            for &(byte, is_key) in window {
                push(&mut forms, byte, is_key);
            }
            // Who joins before the pass gets the window after the replay.
            assert_eq!(bytes(&forms.flv.gop), replayed);
            let replay = forms.replay(Form::Flv);
            let prefix = mux::PREFIX_LEN + 18 + replayed.len() * 18;
            assert!(replay.starts_with(format!("{prefix:x}\r\nFLV").as_bytes()));
            forms.end_window();
            let expected: Vec<_> = window.iter().map(|&(byte, _)| byte).collect();
            assert_eq!(bytes(&forms.flv.window), expected);
            assert_eq!(forms.window(Form::Flv).len(), expected.len() * 18 + 6);
            forms.begin_window();
            assert!(forms.is_empty());
        }
    }
}
