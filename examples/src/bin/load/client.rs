//! One RTMP client: a socket and a session.

use std::{cell::RefCell, io, time::Instant};

use bytes::Bytes;
use rtmp_proto::{
    ClientConfig, ClientEvent, ClientOutput, ClientSession, Purpose, RtmpUrl, SendError,
    SessionError,
};
use thiserror::Error;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::target::Target;

/// Bytes read at once, into a buffer that all clients share.
const READ_BUFFER: usize = 64 * 1024;

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
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Send(#[from] SendError),
}

pub(crate) struct Client {
    socket: TcpStream,
    pub(crate) session: ClientSession,
    /// When the session last had something to send: before a play starts, its `play` command.
    pub(crate) last_sent: Instant,
}

impl Client {
    pub(crate) async fn connect(
        target: Target,
        index: u32,
        url: RtmpUrl,
        purpose: Purpose,
    ) -> Result<Self, ClientError> {
        let socket = target.connect(index).await.map_err(ClientError::Connect)?;
        let mut config = ClientConfig::new(url, purpose);
        config.seed = index.into();
        let last_sent = Instant::now();
        Ok(Self { socket, session: ClientSession::new(config, last_sent), last_sent })
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
            self.socket.readable().await?;
            self.try_read()?;
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
        self.last_sent = Instant::now();
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

/// Makes an error of an event that ends the session.
fn checked(event: ClientEvent) -> Result<ClientEvent, ClientError> {
    match event {
        ClientEvent::Rejected { code, .. } => Err(ClientError::Rejected(code.to_string())),
        ClientEvent::Ended { code, .. } => Err(ClientError::Ended(code.to_string())),
        event => Ok(event),
    }
}
