//! What hook servers are asked before a client connects, publishes or plays.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

use rtmp_proto::{Connect, MessageStreamId};
use srs_config::Action;
use tokio::{io::AsyncWrite, time::interval};

use super::{Asked, ConnectionError, connection::Connection, play::Playing, publish::Publishing};
use crate::{
    hooks::{ConnectionFacts, HookError, HookSession, StreamFacts},
    live::{AccessError, Vhost, check_access},
    net::Transport,
};

/// How often it is looked whether a client that waits for an answer is there still.
const WATCH: Duration = Duration::from_secs(1);

impl<S: Transport> Connection<S> {
    /// Asks whether the client may connect, to the vhost as far as it is known by now.
    pub(super) async fn ask_to_connect(&mut self) -> Result<(), ConnectionError> {
        let address = self.connect.as_ref().and_then(|connect| connect.resolve("-").ok());
        let Some(address) = address else { return Ok(()) };
        // Whoever names no vhost of ours is refused once it names a stream.
        let Some(vhost) = self.shared.vhost(&address.vhost) else { return Ok(()) };
        let facts = StreamFacts {
            vhost: vhost.name.clone(),
            app: address.app,
            param: address.param,
            ..self.facts()
        };
        self.hooks(&vhost, facts).await?;
        Ok(())
    }

    /// Begins to publish, once the hook servers allow it: until then nothing of it is seen.
    pub(super) async fn publish(
        &mut self,
        stream_name: &str,
        msid: MessageStreamId,
    ) -> Result<(), ConnectionError> {
        let asked = self.resolve(stream_name)?;
        self.check_access(&asked, Action::Publish)?;
        // Hook servers would take the end of a publish that was bound to fail for the stream's.
        let _claim = Publishing::claim(self, &asked)?;
        let facts = self.facts_of(&asked);
        let question = self.hooks(&asked.vhost, facts.clone()).await?.publish(facts);
        let told = self.answer(question).await?;
        self.publishing = Some(Box::new(Publishing::begin(self, asked, msid, told)?));
        Ok(())
    }

    /// Begins to play, once the hook servers allow it.
    pub(super) async fn play(
        &mut self,
        stream_name: &str,
        msid: MessageStreamId,
        duration: f64,
    ) -> Result<(), ConnectionError> {
        let asked = self.resolve(stream_name)?;
        self.check_access(&asked, Action::Play)?;
        let facts = self.facts_of(&asked);
        let question = self.hooks(&asked.vhost, facts.clone()).await?.play(facts);
        let told = self.answer(question).await?;
        self.playing = Some(Box::new(Playing::begin(self, asked, msid, duration, told)?));
        Ok(())
    }

    /// Whether the vhost's own rules allow it.
    fn check_access(&self, asked: &Asked, action: Action) -> Result<(), AccessError> {
        let page_url = self.connect.as_ref().map_or("", |connect| &connect.page_url);
        let ip = self.peer.address.ip().to_canonical();
        check_access(&asked.vhost.settings, action, ip, page_url)
    }

    /// The hook servers of a vhost, once they allow the connection.
    async fn hooks(
        &mut self,
        vhost: &Arc<Vhost>,
        facts: StreamFacts,
    ) -> Result<&HookSession, ConnectionError> {
        let at = match self.hooks.iter().position(|(of, _)| of.name == vhost.name) {
            Some(at) => at,
            None => {
                let connection = ConnectionFacts {
                    client_id: self.peer.id.clone(),
                    ip: self.peer.address.ip().to_canonical(),
                    link: self.socket.link().clone(),
                };
                let session = self.shared.hooks.session(&vhost.settings.http_hooks, connection);
                let question = session.connect(StreamFacts { stream: String::new(), ..facts });
                self.answer(question).await?;
                // Few clients name a second vhost, and each viewer has this list.
                self.hooks.reserve_exact(1);
                self.hooks.push((vhost.clone(), session));
                self.hooks.len() - 1
            }
        };
        Ok(&self.hooks[at].1)
    }

    /// Waits for an answer. The client is read no further until then, but gets what there is for
    /// it, and is let go when it goes.
    async fn answer<T>(
        &mut self,
        question: impl Future<Output = Result<T, HookError>>,
    ) -> Result<T, ConnectionError> {
        let mut question = pin!(question);
        let mut watch = interval(WATCH);
        poll_fn(|cx| {
            if let Poll::Ready(answer) = question.as_mut().poll(cx) {
                return Poll::Ready(answer.map_err(ConnectionError::from));
            }
            if let Poll::Ready(Err(error)) = self.poll_write(cx) {
                return Poll::Ready(Err(error));
            }
            // Behind bytes that nobody reads its end wakes nobody.
            while watch.poll_tick(cx).is_ready() {
                self.socket.link().doubt();
            }
            let flushed = ready!(Pin::new(&mut self.socket).poll_flush(cx));
            match flushed {
                Ok(()) => Poll::Pending,
                Err(_) => Poll::Ready(Err(ConnectionError::Closed)),
            }
        })
        .await
    }

    /// What is told of a stream.
    fn facts_of(&self, asked: &Asked) -> StreamFacts {
        StreamFacts {
            vhost: asked.vhost.name.clone(),
            app: asked.stream.key.app().to_owned(),
            stream: asked.stream.key.name().to_owned(),
            param: asked.param.clone(),
            stream_url: asked.stream.url(),
            stream_id: asked.stream.id.clone(),
            ..self.facts()
        }
    }

    /// What is told of the client.
    fn facts(&self) -> StreamFacts {
        let connect = self.connect.as_deref();
        let text = |field: fn(&Connect) -> &String| connect.map(field).cloned().unwrap_or_default();
        StreamFacts {
            tc_url: text(|connect| &connect.tc_url),
            page_url: text(|connect| &connect.page_url),
            ..StreamFacts::default()
        }
    }
}
