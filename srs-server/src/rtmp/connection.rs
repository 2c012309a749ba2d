//! The loop of one connection: socket to session to stream, and back.

use std::{
    cell::RefCell,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut};
use flv_mux::FourCc;
use rtmp_proto::{
    Capabilities, CodecInfo, Connect, MessageStreamId, PublishStyle, RequestId, ServerConfig,
    ServerEvent, ServerOutput, ServerSession, StatusCode, url,
};
use stream_hub::StreamKey;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    task::coop::poll_proceed,
    time::{Instant, Sleep, sleep_until, timeout},
};
use tracing::{debug, info};

use super::{Asked, ConnectionError, play::Playing, publish::Publishing};
use crate::{
    hooks::HookSession,
    live::{ClientGuard, ClientKind, Identity, LiveStream, Vhost},
    media::Codecs,
    net::{Attendant, Guarded, Link, Transport, poll_write_batch, poll_write_messages},
    server::{Peer, Shared},
};

/// Bytes read at once, into a buffer that all connections of a thread share.
const READ_BUFFER: usize = 64 * 1024;
/// A client that has this much of our answers to read is read no further.
const MAX_ANSWERS: usize = 256 * 1024;
/// How long a client may take to read why its connection ends.
const FAREWELL: Duration = Duration::from_secs(1);

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BUFFER].into());
}

pub(super) struct Connection<S> {
    // What each write of a viewer looks at stands together: a viewer's memory is in no cache when
    // its turn comes, and each line of it that is touched costs as much as some hundred
    // instructions.
    pub(super) socket: Guarded<S>,
    pub(super) playing: Option<Box<Playing>>,
    /// The rest of a media message that the socket took in part; it goes first.
    rest: Bytes,
    /// What the session has to say, not yet written.
    answers: BytesMut,
    /// Whether the session may have something to say.
    is_fed: bool,
    session: ServerSession,
    pub(super) peer: Peer,
    pub(super) shared: Arc<Shared>,
    pub(super) connect: Option<Box<Connect>>,
    /// The hook servers of the vhosts that the client named: one, or several where its streams
    /// name others than it connected to.
    pub(super) hooks: Vec<(Arc<Vhost>, HookSession)>,
    pub(super) publishing: Option<Box<Publishing>>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<S: Transport> Connection<S> {
    /// A connection, boxed: what runs it is moved, and holds a place for it at each step.
    pub(super) fn new(socket: S, peer: Peer, link: Arc<Link>, shared: Arc<Shared>) -> Box<Self> {
        let mut config = ServerConfig::default();
        config.seed = shared.new_seed();
        config.capabilities = Capabilities::forward_any();
        Box::new(Self {
            socket: Guarded::new(socket, link, shared.tuning.write_timeout),
            session: ServerSession::new(config, Instant::now().into_std()),
            peer,
            shared,
            connect: None,
            hooks: Vec::new(),
            publishing: None,
            playing: None,
            answers: BytesMut::new(),
            rest: Bytes::new(),
            is_fed: true,
            timer: None,
        })
    }

    /// Runs the connection to its end.
    pub(super) async fn run(mut self: Box<Self>) -> ConnectionError {
        let link = self.socket.link().clone();
        let mut attendant = Attendant::new(link.clone());
        let error = {
            let mut serving = pin!(self.serve());
            poll_fn(|cx| match attendant.poll_kicked(cx) {
                Poll::Ready(()) => Poll::Ready(ConnectionError::Kicked),
                Poll::Pending => serving.as_mut().poll(cx),
            })
            .await
        };
        link.in_span(Box::pin(self.end(error)).as_mut()).await
    }

    /// Leaves the stream, and has the client know why.
    async fn end(mut self: Box<Self>, error: ConnectionError) -> ConnectionError {
        if error.is_failure() && (self.publishing.is_some() || self.playing.is_some()) {
            self.shared.clients.note_failed();
        }
        // Nobody waits for a publisher that was closed on purpose.
        if let (Some(publishing), ConnectionError::Kicked) = (&mut self.publishing, &error) {
            publishing.end();
        }
        // The stream is free at once, however long the client takes to go.
        self.publishing = None;
        self.playing = None;
        if !matches!(error, ConnectionError::Closed | ConnectionError::Io(_)) {
            let _ = timeout(FAREWELL, self.farewell()).await;
        }
        error
    }

    /// Sends what the client is still to be told and waits until it has gone: to close while
    /// there is something unread would reset the connection, and lose what was sent.
    async fn farewell(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_answers(cx)).await?;
        self.socket.shutdown().await?;
        while poll_fn(|cx| self.poll_scratch(cx, |_, read| read.len())).await? > 0 {}
        Ok(())
    }

    /// Serves the client until the connection is over.
    ///
    /// All but what a client asks for a few times is polled, not awaited: what runs a connection
    /// for hours is small, and near to what it needs.
    async fn serve(&mut self) -> ConnectionError {
        loop {
            let result = match poll_fn(|cx| self.poll(cx)).await {
                Ok(request) => {
                    let link = self.socket.link().clone();
                    // In a box of its own: the connection outlives it by hours.
                    let mut handling = Box::pin(self.handle_request(request));
                    link.in_span(handling.as_mut()).await
                }
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                return error;
            }
        }
    }

    /// Ready when the client asks for something that takes time, or the connection is over.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<ServerEvent, ConnectionError>> {
        loop {
            if self.is_fed {
                let link = self.socket.link().clone();
                if let Some(request) = ready!(link.span().in_scope(|| self.poll_outputs(cx)))? {
                    return Poll::Ready(Ok(request));
                }
                self.is_fed = false;
                // What was done may change what is waited for.
                link.call_again();
            }
            ready!(self.poll_once(cx))?;
            self.is_fed = true;
        }
    }

    /// Ready when the session has been fed, and so may have something to say.
    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        if let Poll::Ready(result) = self.poll_write(cx) {
            return Poll::Ready(result);
        }
        let link = self.socket.link();
        if !link.take_call() {
            return Poll::Pending;
        }
        let (link, waker) = (link.clone(), link.waker());
        link.span().in_scope(|| self.poll_events(&mut Context::from_waker(&waker)))
    }

    /// Looks at what is rare, to be woken by the link: the end of a publish, a timer, the client.
    fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        if let Some(publishing) = &self.publishing
            && publishing.poll_fenced(cx).is_ready()
        {
            return Poll::Ready(Err(ConnectionError::TakenOver(publishing.key().clone())));
        }
        if self.poll_timer(cx)?.is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.poll_read(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        if self.answers.len() > MAX_ANSWERS {
            // It is read again once they are written.
            self.socket.link().call_again();
            return Poll::Pending;
        }
        if self.publishing.as_mut().is_some_and(|publishing| publishing.reads.is_in_window()) {
            return Poll::Pending;
        }
        let now = Instant::now();
        let read = ready!(self.poll_scratch(cx, |this, read| {
            if read.is_empty() {
                return Err(ConnectionError::Closed);
            }
            this.session.receive(now.into_std(), read)?;
            Ok(read.len())
        }))??;
        // A read that filled the buffer has left something, which waits for no window.
        if let Some(publishing) = &mut self.publishing
            && read < READ_BUFFER
        {
            publishing.reads.begin_window(now, cx.waker());
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once, for `take` to use.
    fn poll_scratch<T>(
        &mut self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&mut Self, &[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buf = ReadBuf::new(scratch);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buf))?;
            Poll::Ready(Ok(take(self, buf.filled())))
        })
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        let deadline = match (&self.publishing, self.session.poll_timeout()) {
            (Some(publishing), None) => publishing.deadline(),
            (Some(publishing), Some(at)) => publishing.deadline().min(at.into()),
            (None, Some(at)) => at.into(),
            (None, None) => {
                self.timer = None;
                return Poll::Pending;
            }
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        // A deadline that moved away with each message is looked at when the old one is due.
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(cx));
        self.timer = None;
        let now = Instant::now();
        self.session.handle_timeout(now.into_std())?;
        if let Some(publishing) = &self.publishing {
            publishing.check_idle(now)?;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what there is: the rest of a message, answers, then media. Ready when the play
    /// has come to its end.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        loop {
            ready!(self.poll_answers(cx))?;
            let Some(playing) = self.playing.as_mut().filter(|playing| !playing.paused) else {
                return Poll::Pending;
            };
            let batch = ready!(playing.poll_batch(cx, &self.shared))?;
            let within = playing.within(&batch);
            if within == 0 {
                let msid = playing.msid;
                self.socket.link().span().in_scope(|| {
                    info!("play ended: all that was asked for is sent");
                    if let Err(error) = self.session.end_play(msid) {
                        debug!("{error}");
                    }
                });
                self.playing = None;
                return Poll::Ready(Ok(()));
            }
            let written = if within == batch.len() {
                poll_write_batch(&mut self.socket, cx, &batch)
            } else {
                let messages = batch.iter().take(within).map(|message| Some(&message.bytes));
                poll_write_messages(&mut self.socket, cx, messages)
            };
            let written = ready!(written)?;
            playing.advance(batch, written.messages);
            if !written.rest.is_empty() {
                self.rest = written.rest;
            }
        }
    }

    /// Writes the rest of a message that was cut, then what the session says: never between
    /// the chunks of a message.
    fn poll_answers(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.rest.advance(written);
            if self.rest.is_empty() {
                // The message goes, though nothing else may come for long.
                self.rest = Bytes::new();
            }
        }
        while !self.answers.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.answers))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.answers.advance(written);
            if self.answers.is_empty() {
                // Not even the buffer stays: most viewers have nothing to be told for hours.
                self.answers = BytesMut::new();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Does what the session says until it has nothing more to say, or a request comes that takes
    /// time.
    ///
    /// Each message counts towards the task's turn, for one read can bring tens of thousands:
    /// a client that floods must not keep the thread's others waiting.
    fn poll_outputs(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<ServerEvent>, ConnectionError>> {
        loop {
            let turn = ready!(poll_proceed(cx));
            let Some(output) = self.session.poll_output() else { return Poll::Ready(Ok(None)) };
            turn.made_progress();
            match output {
                ServerOutput::Transmit(bytes) => self.answers.extend_from_slice(&bytes),
                ServerOutput::Event(event) => {
                    if let Some(request) = self.handle_event(event)? {
                        return Poll::Ready(Ok(Some(request)));
                    }
                }
            }
        }
    }

    /// Does what the client asks for, once the hook servers allow it.
    async fn handle_request(&mut self, request: ServerEvent) -> Result<(), ConnectionError> {
        let (id, code, result) = match request {
            ServerEvent::ConnectRequested { id, mut connect } => {
                // What is needed of them has a field of its own; the rest would stay for hours.
                connect.properties = Default::default();
                connect.arguments = Vec::new();
                debug!(app = %connect.app, tc_url = %connect.tc_url, "connect");
                self.announce(&connect);
                self.connect = Some(connect);
                (id, StatusCode::CONNECT_REJECTED, self.ask_to_connect().await)
            }
            ServerEvent::PublishRequested { id, msid, stream_name, .. } => {
                (id, StatusCode::PUBLISH_BAD_NAME, self.publish(&stream_name, msid).await)
            }
            ServerEvent::PlayRequested { id, msid, stream_name, duration, .. } => {
                (id, StatusCode::PLAY_FAILED, self.play(&stream_name, msid, duration).await)
            }
            _ => return Ok(()),
        };
        match result {
            Ok(()) => self.accept(id),
            Err(error) => {
                self.reject(id, code, &error);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes note of what the client does; what it asks for comes back.
    fn handle_event(&mut self, event: ServerEvent) -> Result<Option<ServerEvent>, ConnectionError> {
        match event {
            ServerEvent::ConnectRequested { .. }
            | ServerEvent::PublishRequested { .. }
            | ServerEvent::PlayRequested { .. } => return Ok(Some(event)),
            ServerEvent::Media { msid, message } => {
                let received = self.received();
                if let Some(publishing) = self.publishing.as_mut().filter(|p| p.msid == msid) {
                    publishing.push(message, received, Instant::now())?;
                }
            }
            ServerEvent::PublishEnded { msid, .. } => {
                if self.publishing.as_ref().is_some_and(|publishing| publishing.msid == msid) {
                    info!("publish ended by the client");
                    self.publishing = None;
                }
            }
            ServerEvent::PlayEnded { msid, .. } => {
                if self.playing.as_ref().is_some_and(|playing| playing.msid == msid) {
                    info!("play ended by the client");
                    self.playing = None;
                }
            }
            ServerEvent::Paused { msid, paused, .. } => {
                if let Some(playing) = self.playing.as_mut().filter(|p| p.msid == msid) {
                    playing.paused = paused;
                }
            }
            ServerEvent::ReceiveAudio { msid, enabled } => {
                self.receive(msid, Some(enabled), None)?;
            }
            ServerEvent::ReceiveVideo { msid, enabled } => {
                self.receive(msid, None, Some(enabled))?;
            }
            other => debug!("{other:?}"),
        }
        Ok(None)
    }

    /// Sets what the client is told of the connection: by the vhost that it connects to, since the
    /// stream that may name another comes later.
    fn announce(&mut self, connect: &Connect) {
        let vhosts = &self.shared.vhosts;
        let name = connect.resolve("-").map(|address| address.vhost).unwrap_or_default();
        if let Some(vhost) = vhosts.find(&name) {
            let settings = &vhost.settings;
            let chunk_size = vhosts.chunk_size(&vhost);
            self.session.set_chunk_size(chunk_size);
            self.session.set_windows(settings.out_ack_size, settings.in_ack_size);
        }
    }

    fn accept(&mut self, id: RequestId) {
        // The session itself gave the id a moment ago.
        if let Err(error) = self.session.accept(id) {
            debug!("{error}");
        }
    }

    /// Changes what the client takes of the stream that it plays.
    fn receive(
        &mut self,
        msid: MessageStreamId,
        audio: Option<bool>,
        video: Option<bool>,
    ) -> Result<(), ConnectionError> {
        let Some(mut playing) = self.playing.take_if(|playing| playing.msid == msid) else {
            return Ok(());
        };
        playing.receive(self, audio, video)?;
        self.playing = Some(playing);
        Ok(())
    }

    /// Tells the client why it is refused, before the connection closes.
    fn reject(&mut self, id: RequestId, code: StatusCode, error: &ConnectionError) {
        if let Err(error) = self.session.reject(id, code, &error.told()) {
            debug!("{error}");
        }
        while let Some(output) = self.session.poll_output() {
            if let ServerOutput::Transmit(bytes) = output {
                self.answers.extend_from_slice(&bytes);
            }
        }
    }

    /// The stream that a name means.
    pub(super) fn resolve(&self, stream_name: &str) -> Result<Asked, ConnectionError> {
        let address = match &self.connect {
            Some(connect) => connect.resolve(stream_name)?,
            None => url::resolve("", "", stream_name)?,
        };
        let Some(vhost) = self.shared.vhost(&address.vhost) else {
            return Err(ConnectionError::NoVhost(address.vhost));
        };
        let key = StreamKey::new(&*vhost.name, address.app, address.stream);
        let (shared, now) = (&self.shared, Instant::now().into_std());
        let stream = shared.streams.open(&key, &vhost, now, || shared.new_id());
        Ok(Asked { stream, vhost, param: address.param })
    }

    /// Bytes read from the client.
    pub(super) fn received(&self) -> u64 {
        self.socket.link().received()
    }

    /// How the client went about its publish.
    pub(super) fn publish_style(&self) -> PublishStyle {
        self.session.publish_style()
    }

    /// Tells the client the size of the chunks to come, where it isn't the one that it knows.
    pub(super) fn set_chunk_size(&mut self, size: u32) {
        self.session.set_chunk_size(size);
    }

    /// The codecs that the client announced; `None` for one that announced none we know.
    pub(super) fn codecs(&self) -> Option<Codecs> {
        let capabilities = &self.connect.as_ref()?.capabilities;
        let takes = |info: CodecInfo| {
            info.contains(CodecInfo::CAN_DECODE) || info.contains(CodecInfo::CAN_FORWARD)
        };
        let codecs = Codecs::of(|FourCc(code)| {
            let code = rtmp_proto::FourCc(code);
            takes(capabilities.video(code)) || takes(capabilities.audio(code))
        });
        (!codecs.is_empty()).then_some(codecs)
    }

    /// Enters the connection in the list of clients.
    pub(super) fn join(
        &self,
        kind: ClientKind,
        stream: Arc<LiveStream>,
        vhost: &Vhost,
    ) -> ClientGuard {
        let connect = self.connect.as_deref();
        let text = |field: fn(&Connect) -> &String| connect.map(field).cloned().unwrap_or_default();
        let client = self.shared.clients.join(
            Identity {
                id: self.peer.id.clone(),
                ip: self.peer.address.ip().to_canonical(),
                kind,
                tc_url: text(|connect| &connect.tc_url),
                page_url: text(|connect| &connect.page_url),
                swf_url: text(|connect| &connect.swf_url),
            },
            stream,
            self.socket.link().clone(),
            Instant::now().into_std(),
        );
        // The stream may have come to be before a reload.
        self.socket.link().set_coalescing(!vhost.settings.sends_at_once());
        client
    }
}
