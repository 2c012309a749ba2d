//! A client's socket, and an RTMP publisher's session on it.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Poll, ready},
    time::Instant,
};

use bytes::Bytes;
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientOutput, ClientSession, Purpose, RtmpUrl, SendError,
    SessionError, chunk::EncodeError,
};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use crate::{
    target::Target,
    walk::{ChunkedError, FlvError, WalkError},
};

/// Bytes read at once, into a buffer that all clients of a thread share.
const READ_BUFFER: usize = 256 * 1024;

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BUFFER].into());
}

/// Why a client ended before its time.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    #[error("connect: {0}")]
    Connect(#[source] io::Error),
    #[error("closed by the server")]
    Closed,
    #[error("refused: {0}")]
    Rejected(String),
    #[error("ended by the server: {0}")]
    Ended(String),
    #[error("no answer in HTTP")]
    NoHttp,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Walk(#[from] WalkError),
    #[error(transparent)]
    Flv(#[from] FlvError),
    #[error(transparent)]
    Chunked(#[from] ChunkedError),
    #[error("{0}")]
    Rtc(String),
}

impl ClientError {
    /// What WebRTC's many layers say.
    pub(crate) fn rtc(error: impl std::fmt::Display) -> Self {
        Self::Rtc(error.to_string())
    }
}

/// Waits for bytes, and hands all that are there to `take`.
pub(crate) async fn read<T>(
    socket: &mut TcpStream,
    mut take: impl FnMut(&[u8]) -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    poll_fn(|cx| {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *socket).poll_read(cx, &mut buffer))?;
            Poll::Ready(match buffer.filled() {
                [] => Err(ClientError::Closed),
                bytes => take(bytes),
            })
        })
    })
    .await
}

/// Makes an error of an event that ends the session.
pub(crate) fn checked(event: ClientEvent) -> Result<ClientEvent, ClientError> {
    match event {
        ClientEvent::Rejected { code, .. } => Err(ClientError::Rejected(code.to_string())),
        ClientEvent::Ended { code, .. } => Err(ClientError::Ended(code.to_string())),
        event => Ok(event),
    }
}

/// The session of client `index`.
pub(crate) fn session(index: u32, url: RtmpUrl, purpose: Purpose) -> ClientSession {
    let mut config = ClientConfig::new(url, purpose);
    config.seed = index.into();
    ClientSession::new(config, Instant::now())
}

/// An RTMP publisher: a socket and a session.
pub(crate) struct PublishClient {
    socket: TcpStream,
    pub(crate) session: ClientSession,
}

impl PublishClient {
    pub(crate) async fn connect(
        target: Target,
        index: u32,
        url: RtmpUrl,
    ) -> Result<Self, ClientError> {
        let socket = target.connect(index).await.map_err(ClientError::Connect)?;
        Ok(Self { socket, session: session(index, url, Purpose::publish()) })
    }

    /// Waits for the next event, and sends what the session has to send.
    pub(crate) async fn next_event(&mut self) -> Result<ClientEvent, ClientError> {
        loop {
            while let Some(output) = self.session.poll_output() {
                match output {
                    ClientOutput::Transmit(bytes) => self.send(bytes).await?,
                    ClientOutput::Event(event) => return checked(event),
                }
            }
            let Self { socket, session } = self;
            read(socket, |bytes| Ok(session.receive(Instant::now(), bytes)?)).await?;
        }
    }

    /// Sends what the session has to send, and takes what has come, without waiting for more.
    pub(crate) async fn flush(&mut self) -> Result<(), ClientError> {
        loop {
            while let Some(output) = self.session.poll_output() {
                match output {
                    ClientOutput::Transmit(bytes) => self.send(bytes).await?,
                    ClientOutput::Event(event) => drop(checked(event)?),
                }
            }
            if !self.try_read()? {
                return Ok(());
            }
        }
    }

    /// Tells the server that this is the end.
    pub(crate) async fn stop(&mut self) -> Result<(), ClientError> {
        self.session.stop();
        while let Some(output) = self.session.poll_output() {
            if let ClientOutput::Transmit(bytes) = output {
                self.send(bytes).await?;
            }
        }
        Ok(self.socket.shutdown().await?)
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), ClientError> {
        Ok(self.socket.write_all(&bytes).await?)
    }

    /// Feeds the session what has come; false if that was nothing.
    fn try_read(&mut self) -> Result<bool, ClientError> {
        SCRATCH.with_borrow_mut(|scratch| match self.socket.try_read(scratch) {
            Ok(0) => Err(ClientError::Closed),
            Ok(count) => {
                self.session.receive(Instant::now(), &scratch[..count])?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error.into()),
        })
    }
}
