//! Pulls a stream from one RTMP server and pushes it to another.
//!
//! It shows `rtmp_proto::ClientSession` both ways, playing and publishing, over tokio:
//!
//! ```text
//! cargo run -p examples --example relay -- rtmp://127.0.0.1/live/livestream rtmp://127.0.0.1:19350/live/copy
//! ```
//!
//! It connects to the target once the first message has come, so that no empty stream is
//! published; a target that takes less than comes holds up the source. It ends when the source
//! does, or at Ctrl-C, and tells the target so. It does not try again.

use std::{
    collections::VecDeque,
    error::Error,
    future::pending,
    process::ExitCode,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rtmp_proto::{
    Capabilities, ClientConfig, ClientEvent, ClientOutput, ClientSession, MediaMessage,
    MessageStreamId, Purpose, RtmpUrl,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    select,
    time::{sleep_until, timeout},
};

/// While so many bytes wait for the target, no more are read from the source.
const MAX_UNSENT: usize = 1024 * 1024;
/// How long to wait for a connection, and for the last bytes to go out.
const PATIENCE: Duration = Duration::from_secs(10);

type AnyError = Box<dyn Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        eprintln!("usage: relay rtmp://SOURCE/APP/STREAM rtmp://TARGET/APP/STREAM");
        return ExitCode::from(2);
    };
    match relay(from, to).await {
        Ok((messages, why)) => {
            println!("{messages} messages relayed; {why}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Relays to the end; how many messages, and why it ended.
async fn relay(from: &str, to: &str) -> Result<(u64, String), AnyError> {
    let mut source = Peer::connect("source", from, Purpose::play()).await?;
    let first = loop {
        match source.next_event().await? {
            Next::Event(ClientEvent::Media { message, .. }) => break message,
            Next::Event(event) => source.note(event)?,
            Next::Closed => return Err("source: closed before it sent anything".into()),
        }
    };
    let mut target = Peer::connect("target", to, Purpose::publish()).await?;
    let msid = loop {
        match target.next_event().await? {
            Next::Event(ClientEvent::PublishStarted { msid }) => break msid,
            Next::Event(event) => target.note(event)?,
            Next::Closed => return Err("target: closed before the publish started".into()),
        }
    };
    println!("relaying");
    target.send(msid, &first)?;
    let mut messages = 1;
    let interrupted = tokio::signal::ctrl_c();
    tokio::pin!(interrupted);
    let why = loop {
        select! {
            next = source.next_event(), if target.unsent_bytes() < MAX_UNSENT => match next {
                Ok(Next::Event(ClientEvent::Media { message, .. })) => {
                    target.send(msid, &message)?;
                    messages += 1;
                }
                Ok(Next::Event(ClientEvent::Ended { code, description })) => {
                    break format!("the source has ended: {code} {description}");
                }
                Ok(Next::Event(ClientEvent::StreamEof { .. })) => {
                    break "the source has nothing more to play".to_owned();
                }
                Ok(Next::Event(event)) => source.note(event)?,
                Ok(Next::Closed) => break "the source has closed the connection".to_owned(),
                Err(error) => {
                    // What came before it still goes out, and the target is told of the end.
                    target.finish().await?;
                    return Err(error);
                }
            },
            next = target.next_event() => match next? {
                Next::Event(event) => target.note(event)?,
                Next::Closed => return Err("target: closed the connection".into()),
            },
            result = &mut interrupted => {
                result?;
                break "interrupted".to_owned();
            }
        }
    };
    target.finish().await?;
    // A source that has ended need not listen any more.
    let _ = source.finish().await;
    Ok((messages, why))
}

/// A connection to one of the two servers.
struct Peer {
    name: &'static str,
    socket: TcpStream,
    session: ClientSession,
    /// What the session has to say, not yet written.
    unsent: VecDeque<Bytes>,
    buffer: Vec<u8>,
}

enum Next {
    Event(ClientEvent),
    Closed,
}

impl Peer {
    async fn connect(name: &'static str, url: &str, purpose: Purpose) -> Result<Self, AnyError> {
        let url = RtmpUrl::parse(url).map_err(|error| format!("{name}: {url}: {error}"))?;
        if url.secure {
            return Err(format!("{name}: {url}: rtmps is not supported here").into());
        }
        let socket = timeout(PATIENCE, TcpStream::connect((url.host.as_str(), url.port)))
            .await
            .map_err(|_| format!("{name}: {url}: no connection within {PATIENCE:?}"))?
            .map_err(|error| format!("{name}: {url}: {error}"))?;
        socket.set_nodelay(true)?;
        println!("{name}: connected to {url}");
        let mut config = ClientConfig::new(url, purpose);
        // What goes through here is not looked at: any codec will do.
        config.capabilities = Capabilities::forward_any();
        config.seed = std::process::id().into();
        let session = ClientSession::new(config, Instant::now());
        Ok(Self { name, socket, session, unsent: VecDeque::new(), buffer: vec![0; 64 * 1024] })
    }

    /// Waits for the next event, and writes meanwhile what is to be written. Dropping the future
    /// loses nothing.
    async fn next_event(&mut self) -> Result<Next, AnyError> {
        loop {
            while let Some(output) = self.session.poll_output() {
                match output {
                    ClientOutput::Transmit(bytes) => self.unsent.push_back(bytes),
                    ClientOutput::Event(event) => return Ok(Next::Event(event)),
                }
            }
            let deadline = self.session.poll_timeout();
            let (mut reader, mut writer) = self.socket.split();
            let failed = |error: &dyn Error| format!("{}: {error}", self.name);
            select! {
                written = write_first(&mut writer, &mut self.unsent) => {
                    written.map_err(|error| failed(&error))?;
                }
                count = reader.read(&mut self.buffer) => {
                    match count.map_err(|error| failed(&error))? {
                        0 => return Ok(Next::Closed),
                        count => self
                            .session
                            .receive(Instant::now(), &self.buffer[..count])
                            .map_err(|error| failed(&error))?,
                    }
                }
                () = wait_until(deadline) => {
                    self.session.handle_timeout(Instant::now()).map_err(|error| failed(&error))?;
                }
            }
        }
    }

    fn send(&mut self, msid: MessageStreamId, message: &MediaMessage) -> Result<(), AnyError> {
        self.session
            .send_media(msid, message)
            .map_err(|error| format!("{}: {error}", self.name))?;
        Ok(())
    }

    /// Prints what a server says, and makes an error of what ends the relay.
    fn note(&self, event: ClientEvent) -> Result<(), AnyError> {
        match event {
            ClientEvent::Rejected { code, description, redirect } => {
                let redirect = redirect.map(|url| format!(", go to {url}")).unwrap_or_default();
                Err(format!("{}: refused: {code} {description}{redirect}", self.name).into())
            }
            ClientEvent::Ended { code, description } => {
                Err(format!("{}: ended: {code} {description}", self.name).into())
            }
            ClientEvent::Status { code, description, .. } => {
                println!("{}: {code} {description}", self.name);
                Ok(())
            }
            ClientEvent::PlayStarted { .. } => {
                println!("{}: plays", self.name);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn unsent_bytes(&self) -> usize {
        self.session.pending_transmit() + self.unsent.iter().map(Bytes::len).sum::<usize>()
    }

    /// Tells the server that it is over, sends what is left, and closes.
    async fn finish(&mut self) -> Result<(), AnyError> {
        self.session.stop();
        while let Some(output) = self.session.poll_output() {
            if let ClientOutput::Transmit(bytes) = output {
                self.unsent.push_back(bytes);
            }
        }
        let flush = async {
            while !self.unsent.is_empty() {
                write_first(&mut self.socket, &mut self.unsent).await?;
            }
            self.socket.shutdown().await
        };
        timeout(PATIENCE, flush)
            .await
            .map_err(|_| format!("{}: took the last bytes not within {PATIENCE:?}", self.name))?
            .map_err(|error| format!("{}: while closing: {error}", self.name))?;
        Ok(())
    }
}

/// Writes some of the first piece; waits for ever where there is none.
async fn write_first(
    socket: &mut (impl AsyncWriteExt + Unpin),
    unsent: &mut VecDeque<Bytes>,
) -> std::io::Result<()> {
    let Some(first) = unsent.front_mut() else { return pending().await };
    if socket.write_buf(first).await? == 0 {
        return Err(std::io::ErrorKind::WriteZero.into());
    }
    if first.is_empty() {
        unsent.pop_front();
    }
    Ok(())
}

async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => pending().await,
    }
}
