//! How a session begins: everybody is asked, the stream is taken, the offer is answered.

use std::{
    fmt::Write,
    net::IpAddr,
    sync::{Arc, Weak},
    task::{Context, Wake},
};

use rtc_stack::{
    Codec, MediaKind,
    sdp::{AnswerOptions, HostCandidate, Negotiated, Offer},
    stun::Credentials,
};
use rtmp_proto::url::StreamAddress;
use srs_config::Action;
use stream_hub::{BusyPolicy, PublishError, Publisher, PublisherId, StreamKey};
use tokio::time::Instant;
use tracing::{Instrument, info, info_span};

use super::{
    EndReason, Role, Rtc, RtcError, Session, offer, random,
    session::{Facts, Held},
};
use crate::{
    hooks::{ConnectionFacts, HookSession, StreamFacts, Told},
    live::{Claim, ClientGuard, ClientKind, Identity, LiveStream, Vhost, check_access},
    media::{AudioInfo, VideoInfo},
    net::{Attendant, Link},
    server::Shared,
};

/// After this silence of a publisher, another that has its parameters is the same again.
const DEAD: std::time::Duration = std::time::Duration::from_secs(2);

/// What a client asks for.
#[derive(Debug)]
pub struct SessionRequest {
    /// What it wants to do.
    pub role: Role,
    /// Whose stream it is.
    pub vhost: Arc<Vhost>,
    /// Which stream; the query of it is what hook servers are told.
    pub address: StreamAddress,
    /// The URL that it named, without the stream.
    pub tc_url: String,
    /// The page that it is on.
    pub page_url: String,
    /// Its address.
    pub ip: IpAddr,
    /// Its offer.
    pub offer: Offer,
    /// By what it wants the server's side to be known.
    pub credentials: Option<Credentials>,
    /// The codecs that it wants, each the only one of its kind.
    pub codecs: Vec<Codec>,
    /// Where it is told to reach the server.
    pub hosts: Vec<HostCandidate>,
}

/// A session that has begun.
#[derive(Debug)]
pub struct Begun {
    /// The answer.
    pub sdp: String,
    /// The session.
    pub session: Arc<Session>,
}

/// Begins a session: whatever can be refused is, before hook servers are asked.
///
/// # Errors
/// Why it may not begin. Nothing of it is left then, and the hook servers were told of an end if
/// they had allowed it.
pub async fn begin(
    shared: &Arc<Shared>,
    rtc: &Arc<Rtc>,
    request: SessionRequest,
) -> Result<Begun, RtcError> {
    let client = shared.new_id();
    // It outlives the connection of the request that begins it.
    let span = info_span!(parent: None, "conn", id = %client);
    Beginning::begin(shared, rtc, request, client).instrument(span).await
}

/// A session on its way.
struct Beginning<'a> {
    shared: &'a Arc<Shared>,
    rtc: &'a Arc<Rtc>,
    request: SessionRequest,
    client: String,
    stream: Arc<LiveStream>,
    /// The parameters, with whence the stream comes where hook servers are to know.
    param: String,
    link: Arc<Link>,
}

impl<'a> Beginning<'a> {
    async fn begin(
        shared: &'a Arc<Shared>,
        rtc: &'a Arc<Rtc>,
        request: SessionRequest,
        client: String,
    ) -> Result<Begun, RtcError> {
        let vhost = &request.vhost;
        if !vhost.settings.rtc.enabled {
            return Err(RtcError::Disabled(vhost.name.clone()));
        }
        let action = match request.role {
            Role::Publish => Action::Publish,
            Role::Play => Action::Play,
        };
        check_access(&vhost.settings, action, request.ip, &request.page_url)?;
        if request.hosts.is_empty() {
            return Err(RtcError::NoCandidate);
        }
        let place = shared.place().ok_or(RtcError::Full)?;
        let local = match &request.credentials {
            Some(own) if rtc.find(own.ufrag()).is_some() => {
                return Err(RtcError::UfragTaken(own.ufrag().to_owned()));
            }
            Some(own) => own.clone(),
            None => rtc.new_credentials()?,
        };
        let negotiated = negotiate(rtc, &request, &local)?;
        let address = &request.address;
        let key = StreamKey::new(&*vhost.name, &*address.app, &*address.stream);
        let now = Instant::now().into_std();
        let stream = shared.streams.open(&key, vhost, now, || shared.new_id());
        let mut param = address.param.clone();
        if request.role == Role::Publish {
            // As SRS has it: hook servers tell by this where a stream comes from.
            param.push_str(if param.is_empty() { "?" } else { "&" });
            param.push_str("upstream=rtc");
        }
        let link = Arc::default();
        let beginning = Self { shared, rtc, request, client, stream, param, link };
        // Hook servers would take the end of a publish that was bound to fail for the stream's.
        let taking = match beginning.request.role {
            Role::Publish => Some(beginning.may_publish()?),
            Role::Play => beginning.may_play().map(|()| None)?,
        };
        let (hooks, told) = beginning.ask().await?;
        let session = beginning.join(taking, negotiated, local, |publisher, client, kick| {
            Held { publisher, client, _kick: kick, _told: told, _hooks: hooks, _place: place }
        })?;
        Ok(session)
    }

    /// Whether the stream may be published, and as whom, as far as it is known before hook servers
    /// are asked.
    fn may_publish(&self) -> Result<Taking, RtcError> {
        let Self { stream, request, .. } = self;
        let mut who = self.who();
        let mut busy = match request.vhost.settings.publish.takeover.as_str() {
            "same" => BusyPolicy::TakeOverSame,
            _ => BusyPolicy::Refuse,
        };
        let refused = |by| RtcError::Refused(stream.key.clone(), PublishError::Busy { by });
        if let Some(by) = self.shared.hub.stream(&stream.key).and_then(|stats| stats.publisher)
            && (busy == BusyPolicy::Refuse || by != who)
        {
            // A client whose network changed comes back from elsewhere, and its old session is
            // only waited for.
            let dead = self.publisher().filter(|old| self.is_dead(old));
            let Some(dead) = dead else { return Err(refused(by)) };
            info!(stream = %stream.key, "the publisher of before is silent: this is the same again");
            (who, busy) = (dead.who().clone(), BusyPolicy::TakeOverSame);
        }
        let is_alone = busy == BusyPolicy::Refuse;
        let claim = is_alone.then(|| stream.claim(who.clone())).transpose().map_err(refused)?;
        Ok(Taking { who, busy, _claim: claim })
    }

    /// Who publishes: who comes from the same place with the same parameters is the same client
    /// again, whatever it publishes by.
    fn who(&self) -> PublisherId {
        PublisherId::new(format!("{}{}", self.request.ip, self.request.address.param))
    }

    /// The session that publishes the stream now, if one does.
    fn publisher(&self) -> Option<Arc<Session>> {
        self.rtc.of_client(&self.stream.published().client?)
    }

    fn is_dead(&self, old: &Session) -> bool {
        let silence = old.silence(Instant::now().into_std());
        old.param() == self.request.address.param && silence >= DEAD
    }

    /// Whether the stream can reach WebRTC players.
    fn may_play(&self) -> Result<(), RtcError> {
        let key = &self.stream.key;
        let published = self.stream.published();
        let is_other = published.is_active && self.publisher().is_none();
        match is_other && !self.request.vhost.settings.rtc.rtmp_to_rtc {
            true => Err(RtcError::NotBridged(key.clone())),
            false => Ok(()),
        }
    }

    /// Asks the vhost's hook servers.
    async fn ask(&self) -> Result<(HookSession, Told), RtcError> {
        let Self { request, stream, .. } = self;
        let connection = ConnectionFacts {
            client_id: self.client.clone(),
            ip: request.ip,
            link: self.link.clone(),
        };
        let hooks = self.shared.hooks.session(&request.vhost.settings.http_hooks, connection);
        let facts = StreamFacts {
            vhost: request.vhost.name.clone(),
            app: stream.key.app().to_owned(),
            stream: stream.key.name().to_owned(),
            param: self.param.clone(),
            tc_url: request.tc_url.clone(),
            page_url: request.page_url.clone(),
            stream_url: stream.url(),
            stream_id: stream.id.clone(),
        };
        let told = match request.role {
            Role::Publish => hooks.publish(facts).await?,
            Role::Play => hooks.play(facts).await?,
        };
        Ok((hooks, told))
    }

    /// Takes the stream, and puts the session where its first packet will find it.
    fn join(
        self,
        taking: Option<Taking>,
        negotiated: Negotiated,
        local: Credentials,
        hold: impl FnOnce(Option<Publisher>, ClientGuard, Attendant) -> Held,
    ) -> Result<Begun, RtcError> {
        let (shared, key) = (self.shared, self.stream.key.clone());
        let now = Instant::now().into_std();
        let mut token = String::new();
        for byte in random::<16>()? {
            // A string takes whatever is written.
            let _ = write!(token, "{byte:02x}");
        }
        let before = self.publisher();
        let publisher = match &taking {
            Some(Taking { who, busy, .. }) => {
                let refused = |error| RtcError::Refused(key.clone(), error);
                let taken = shared.hub.publish(key.clone(), who.clone(), *busy, now);
                Some(taken.map_err(refused)?)
            }
            None => None,
        };
        let is_publisher = publisher.is_some();
        let kick = self.kick(&token);
        let client = self.client_guard(now);
        if is_publisher {
            let idle = self.request.vhost.settings.publish.kickoff_for_idle;
            self.stream.published_by(&client.identity, idle);
            note_codecs(&self.stream, &negotiated);
        }
        let sdp = negotiated.sdp.clone();
        let who = taking.as_ref().map_or_else(|| self.who(), |taking| taking.who.clone());
        let facts = Facts {
            id: format!("{}:{}", local.ufrag(), negotiated.remote_ice.ufrag()),
            token,
            client: self.client.clone(),
            account: client.account(),
            role: self.request.role,
            who,
            param: self.request.address.param.clone(),
            stream: self.stream.clone(),
            vhost: self.request.vhost.clone(),
            link: self.link.clone(),
            span: tracing::Span::current(),
            since: now,
        };
        let session =
            Arc::new(Session::new(facts, local, negotiated, hold(publisher, client, kick)));
        let inserted = self.rtc.lock().insert(&session);
        if let Some(before) = before.filter(|_| is_publisher) {
            self.rtc.end(shared, &before, EndReason::TakenOver);
        }
        if let Err(error) = inserted {
            self.rtc.end(shared, &session, EndReason::Failed(error.to_string()));
            return Err(error);
        }
        info!(stream = %key, ip = %self.request.ip, "rtc {}", self.request.role);
        Ok(Begun { sdp, session })
    }

    /// Makes it a client of the API.
    fn client_guard(&self, now: std::time::Instant) -> ClientGuard {
        let request = &self.request;
        let identity = Identity {
            id: self.client.clone(),
            ip: request.ip,
            kind: match request.role {
                Role::Publish => ClientKind::RtcPublish,
                Role::Play => ClientKind::RtcPlay,
            },
            tc_url: request.tc_url.clone(),
            page_url: request.page_url.clone(),
            swf_url: String::new(),
        };
        self.shared.clients.join(identity, self.stream.clone(), self.link.clone(), now)
    }

    /// Has who closes the client's connection end the session, as long as this is kept.
    fn kick(&self, token: &str) -> Attendant {
        let kick = Kick { shared: Arc::downgrade(self.shared), token: token.to_owned() };
        let mut attendant = Attendant::new(self.link.clone());
        // Nobody knows the link yet, and so nobody has closed it.
        let _ = attendant.poll_kicked(&mut Context::from_waker(&Arc::new(kick).into()));
        attendant
    }
}

/// How a stream is taken.
struct Taking {
    who: PublisherId,
    busy: BusyPolicy,
    _claim: Option<Claim>,
}

/// Ends a session for the API, which knows clients alone.
struct Kick {
    shared: Weak<Shared>,
    token: String,
}

impl Wake for Kick {
    fn wake(self: Arc<Self>) {
        if let Some(shared) = self.shared.upgrade()
            && let Some(rtc) = &shared.rtc
            && let Some(session) = rtc.of_token(&self.token)
        {
            rtc.end(&shared, &session, EndReason::Kicked);
        }
    }
}

/// Answers the offer. Players get every codec that both sides have, whoever publishes now: the next
/// publisher may bring another.
fn negotiate(
    rtc: &Rtc,
    request: &SessionRequest,
    local: &Credentials,
) -> Result<Negotiated, RtcError> {
    let offer = offer::adapted(&request.offer, &request.vhost.settings.rtc);
    let offer = offer.map_err(RtcError::Offer)?;
    let fingerprint = rtc.certificate().fingerprint().clone();
    let seed = u64::from_le_bytes(random()?);
    let mut options = AnswerOptions::new(local.clone(), fingerprint, request.hosts.clone(), seed);
    options.preferred.clone_from(&request.codecs);
    options.only_preferred = !request.codecs.is_empty();
    let answered = match request.role {
        Role::Publish => offer.answer_publish(&options),
        Role::Play => offer.answer_play(None, &options),
    };
    answered.map_err(RtcError::Unanswerable)
}

/// Shows what the publisher will most likely send, until its packets tell.
fn note_codecs(stream: &LiveStream, negotiated: &Negotiated) {
    let first = |kind| Some(&negotiated.section(kind)?.codecs.first()?.parameters);
    let video = first(MediaKind::Video).map(VideoInfo::of_track);
    let audio = first(MediaKind::Audio).map(AudioInfo::of_track);
    stream.media.note_tracks(video, audio);
}
