//! What becomes of a worker's sessions: they connect, publish or play, and end.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Context,
    time::Instant,
};

use rtc_stack::{
    MediaKind,
    session::Outgoing,
    sfu::{CloseReason, PeerId, PeerStatistics},
};
use stream_hub::{Fenced, TrackInfo};
use tracing::info;

use super::{Core, Peer, failed, peer::Media, send, udp::Sockets};
use crate::{
    media::{KeyframeWish, MediaInfo, Origin, RtpIngest, RtpItem},
    rtc::{EndReason, Role},
};

impl Core {
    /// A peer has keys: its media begin.
    pub(super) fn connected(&mut self, now: Instant, id: PeerId, sockets: &mut Sockets) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let session = peer.session.clone();
        peer.note_heard(now);
        session.span().in_scope(|| info!("connected"));
        let begun = match session.role() {
            Role::Publish => self.begin_publishing(id),
            Role::Play => self.begin_playing(now, id, sockets),
        };
        if let Err(why) = begun {
            self.end(id, why);
        }
        // Whether it was taken over meanwhile.
        self.visit(now, id);
    }

    fn begin_publishing(&mut self, id: PeerId) -> Result<(), EndReason> {
        let Some(peer) = self.peers.get_mut(&id) else { return Ok(()) };
        let opened = peer.session.with_publisher(|publisher| {
            let writer = publisher.track::<RtpItem>(TrackInfo::default())?;
            Ok::<_, stream_hub::PublishError>((writer, publisher.resume_time()))
        });
        // Otherwise it is over, and the inbox says so.
        let Some(opened) = opened else { return Ok(()) };
        let (writer, resume) = opened.map_err(failed)?;
        let keyframes = Arc::new(KeyframeWish::new(peer.waker.clone()));
        let has_video = peer.negotiated.section(MediaKind::Video).is_some();
        let ingest = RtpIngest::new(writer, resume, keyframes, has_video);
        peer.media = Media::Publishes(Box::new(ingest));
        Ok(())
    }

    fn begin_playing(
        &mut self,
        now: Instant,
        id: PeerId,
        sockets: &mut Sockets,
    ) -> Result<(), EndReason> {
        let Self { peers, fan_out, sfu, out, tally, connections, shard, .. } = self;
        let Some(peer) = peers.get_mut(&id) else { return Ok(()) };
        let mut flush = |out: &mut Outgoing, oldest: Option<(Origin, Instant)>| {
            send(out, oldest, sockets, connections, tally, shard);
        };
        let key = &peer.session.stream().key;
        let stream = fan_out.watch(now, sfu, id, key, &mut flush, out).map_err(failed)?;
        peer.media = Media::Plays(stream);
        Ok(())
    }

    /// Brings something of a publisher into its stream.
    pub(super) fn publish(
        &mut self,
        now: Instant,
        id: PeerId,
        bring: impl FnOnce(&mut RtpIngest, &MediaInfo) -> Result<(), Fenced>,
    ) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.note_heard(now);
        let Media::Publishes(ingest) = &mut peer.media else { return };
        if bring(ingest, &peer.session.stream().media).is_err() {
            self.end(id, EndReason::TakenOver);
        }
    }

    /// Looks after a peer that has called.
    pub(super) fn visit(&mut self, now: Instant, id: PeerId) {
        self.shake(now, id);
        let Some(peer) = self.peers.get(&id) else { return };
        if let Media::Publishes(ingest) = &peer.media {
            for track in ingest.wanted() {
                // It is one of the publisher's.
                let _ = self.sfu.request_keyframe(id, track);
            }
            let mut cx = Context::from_waker(&peer.waker);
            if peer.session.poll_fenced(&mut cx).is_ready() {
                self.end(id, EndReason::TakenOver);
            }
        }
    }

    /// Ends a session by what its peer did, or what the worker can't do; the inbox brings the rest.
    pub(super) fn end(&mut self, id: PeerId, why: EndReason) {
        if let Some(peer) = self.peers.get(&id) {
            self.rtc.end(&self.shared, &peer.session, why);
        }
    }

    /// A peer is gone by its own silence.
    pub(super) fn closed(&mut self, id: PeerId, reason: CloseReason, statistics: &PeerStatistics) {
        let Some(peer) = self.forget(id, statistics) else { return };
        let limit = peer.session.vhost().settings.rtc.stun_timeout;
        let why = match reason {
            CloseReason::NeverSeen => EndReason::NeverSeen(limit),
            CloseReason::Left => EndReason::Left,
            _ => EndReason::Silent(limit),
        };
        self.rtc.end(&self.shared, &peer.session, why);
    }

    /// Does what signalling wants of sessions.
    pub(super) fn take_orders(&mut self) {
        for session in self.inbox.take() {
            let orders = session.take_orders();
            let Some(id) = self.peer_of(&session) else { continue };
            if orders.end.is_some() {
                self.close_dtls(id);
                let statistics = self.sfu.statistics(id).unwrap_or_default();
                self.sfu.remove(id, &mut self.out);
                self.forget(id, &statistics);
                continue;
            }
            if let Some(restart) = orders.restart {
                let remote = restart.remote.ufrag().to_owned();
                if let Err(error) = self.sfu.restart_ice(id, restart.local, &remote) {
                    self.end(id, failed(error));
                }
            }
            if orders.lose > 0 {
                self.lose(id, session.role(), orders.lose);
            }
        }
    }

    /// Forgets a peer that the SFU has no more, of which it has counted this.
    fn forget(&mut self, id: PeerId, statistics: &PeerStatistics) -> Option<Peer> {
        let mut peer = self.peers.remove(&id)?;
        peer.tell(statistics, &mut self.tally);
        // Who ended it may have closed the client's account already.
        self.shared.clients.settle(peer.session.account());
        self.shard.load.sessions.fetch_sub(1, Relaxed);
        self.by_client.remove(peer.session.client());
        if let Media::Plays(stream) = peer.media {
            self.fan_out.leave(&mut self.sfu, stream);
        }
        self.connections.close_of(peer.session.client());
        Some(peer)
    }
}
