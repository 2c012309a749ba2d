//! Janus's own signalling, by requests over HTTP: a session, a handle of a plugin in it, and
//! messages to that handle, whose answers are events that are asked for. A player is made an offer
//! by the streaming plugin; a publisher makes one to the room of a video conference, alone in it.

use std::time::Duration;

use rtc_stack::{
    Codec,
    dtls::{Fingerprint, Role},
    sdp::{Answer, AnswerOptions, Negotiated, Offer},
    stun::Credentials,
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, task::AbortHandle, time::sleep};

use super::signalling::exchange;
use crate::{client::ClientError, target::Target, url::HttpUrl};

/// Where Janus has its interface, unless it is told otherwise.
const BASE: &str = "/janus";
/// Janus ends a session that says nothing for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// Where this is said, Janus does nothing before addresses follow; it learns ours by our checks.
const TRICKLE: &str = "a=ice-options:trickle\r\n";

/// What an address of Janus's names, such as `s` in `/janus/s`: a mountpoint or a room.
pub(super) fn named_by(url: &HttpUrl) -> Option<&str> {
    url.path.strip_prefix(BASE)?.strip_prefix('/')
}

/// Keeps a session for as long as this is there; then Janus ends it in its time.
#[derive(Debug)]
pub(super) struct KeptAlive(AbortHandle);

impl Drop for KeptAlive {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks for a mountpoint, and answers what is offered.
pub(super) async fn play(
    (target, url): (Target, &HttpUrl),
    mut handle: Handle<'_>,
    ours: &Credentials,
    fingerprint: Fingerprint,
) -> Result<(Negotiated, KeptAlive), ClientError> {
    let watch = json!({ "request": "watch", "id": handle.named });
    let offer = handle.ask(watch, Value::Null).await?;
    let mut options = AnswerOptions::new(ours.clone(), fingerprint, Vec::new(), fastrand::u64(..));
    options.codecs = vec![Codec::Opus, Codec::H264];
    let offer = Offer::parse(&offer).map_err(ClientError::rtc)?;
    let mut negotiated = offer.answer_publish(&options).map_err(ClientError::rtc)?;
    // Such an answer is a server's. We are who checks the way and begins the handshake, as a
    // browser is.
    negotiated.role = Role::Client;
    let answer = negotiated.sdp.replace("a=ice-lite\r\n", "");
    let answer = answer.replace("a=setup:passive\r\n", "a=setup:active\r\n");
    let answer = answer.replace(TRICKLE, "");
    let jsep = json!({ "type": "answer", "sdp": answer });
    handle.say(json!({ "request": "start" }), jsep).await?;
    Ok((negotiated, handle.keep_alive(target, url)))
}

/// Makes an offer to a room.
pub(super) async fn publish(
    (target, url): (Target, &HttpUrl),
    mut handle: Handle<'_>,
    offer: &Offer,
) -> Result<(Negotiated, KeptAlive), ClientError> {
    let join = json!({ "request": "joinandconfigure", "ptype": "publisher", "room": handle.named });
    let jsep = json!({ "type": "offer", "sdp": offer.to_string().replace(TRICKLE, "") });
    let answer = handle.ask(join, jsep).await?;
    let negotiated = Answer::parse(&answer).and_then(|answer| answer.accept(offer));
    Ok((negotiated.map_err(ClientError::rtc)?, handle.keep_alive(target, url)))
}

/// A client's place in a plugin.
pub(super) struct Handle<'a> {
    socket: TcpStream,
    url: &'a HttpUrl,
    /// What it is for: a mountpoint or a room.
    named: &'a str,
    session: u64,
    handle: u64,
}

impl<'a> Handle<'a> {
    /// Begins a session, and attaches it to a plugin.
    pub(super) async fn attach(
        mut socket: TcpStream,
        (url, named): (&'a HttpUrl, &'a str),
        plugin: &str,
    ) -> Result<Self, ClientError> {
        let created = tell(&mut socket, url, "", json!({ "janus": "create" })).await?;
        let session = id_in(&created)?;
        let attach = json!({ "janus": "attach", "plugin": format!("janus.plugin.{plugin}") });
        let attached = tell(&mut socket, url, &format!("/{session}"), attach).await?;
        Ok(Self { socket, url, named, session, handle: id_in(&attached)? })
    }

    /// Sends a message, and waits for the description that answers it.
    async fn ask(&mut self, body: Value, jsep: Value) -> Result<String, ClientError> {
        self.say(body, jsep).await?;
        loop {
            let HttpUrl { host, port, .. } = self.url;
            let request = format!(
                "GET {BASE}/{}?maxev=1 HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n",
                self.session
            );
            let event = parsed(&exchange(&mut self.socket, &request).await?)?;
            if let Some(sdp) = event["jsep"]["sdp"].as_str() {
                return Ok(sdp.to_owned());
            }
            if let Some(error) = event["plugindata"]["data"]["error"].as_str() {
                return Err(ClientError::Rejected(error.to_owned()));
            }
        }
    }

    /// Sends a message whose answer, if it has one, is nothing to wait for.
    async fn say(&mut self, body: Value, jsep: Value) -> Result<(), ClientError> {
        let mut message = json!({ "janus": "message", "body": body });
        if !jsep.is_null() {
            message["jsep"] = jsep;
        }
        let place = format!("/{}/{}", self.session, self.handle);
        tell(&mut self.socket, self.url, &place, message).await.map(drop)
    }

    fn keep_alive(self, target: Target, url: &HttpUrl) -> KeptAlive {
        let (url, session) = (url.clone(), self.session);
        let task = tokio::spawn(async move {
            loop {
                sleep(KEEP_ALIVE).await;
                // Media go on without it, and who ends the session says so there.
                if let Ok(mut socket) = target.connect(0).await {
                    let message = json!({ "janus": "keepalive" });
                    let _ = tell(&mut socket, &url, &format!("/{session}"), message).await;
                }
            }
        });
        KeptAlive(task.abort_handle())
    }
}

/// Sends a request, and gives what is answered at once.
async fn tell(
    socket: &mut TcpStream,
    url: &HttpUrl,
    place: &str,
    mut message: Value,
) -> Result<Value, ClientError> {
    // Answers come in order on a connection: nothing has to be told apart.
    message["transaction"] = "load".into();
    let (HttpUrl { host, port, .. }, body) = (url, message.to_string());
    let length = body.len();
    let request = format!(
        "POST {BASE}{place} HTTP/1.1\r\nHost: {host}:{port}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    parsed(&exchange(socket, &request).await?)
}

/// What was answered, if it is no refusal.
fn parsed(body: &str) -> Result<Value, ClientError> {
    let answer: Value = serde_json::from_str(body).map_err(ClientError::rtc)?;
    match answer["error"]["reason"].as_str() {
        Some(reason) => Err(ClientError::Rejected(reason.to_owned())),
        None => Ok(answer),
    }
}

fn id_in(answer: &Value) -> Result<u64, ClientError> {
    let id = answer["data"]["id"].as_u64();
    id.ok_or_else(|| ClientError::Rtc("an answer of Janus's without an id".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_janus_are_told_apart() {
        let named = |url: &str| named_by(&url.parse().unwrap()).map(ToOwned::to_owned);
        assert_eq!(named("http://127.0.0.1:8088/janus/s-3").as_deref(), Some("s-3"));
        assert_eq!(named("http://127.0.0.1:8088/janusz/s"), None);
        assert_eq!(named("http://127.0.0.1:1985/rtc/v1/whep/?app=live&stream=janus"), None);
    }

    #[test]
    fn refusals_are_told_by_their_reason() {
        let refused = r#"{"janus":"error","error":{"code":458,"reason":"No such session"}}"#;
        assert_eq!(parsed(refused).unwrap_err().to_string(), "refused: No such session");
        let created = parsed(r#"{"janus":"success","data":{"id":7}}"#).unwrap();
        assert_eq!(id_in(&created).unwrap(), 7);
        assert!(id_in(&Value::Null).is_err());
    }
}
