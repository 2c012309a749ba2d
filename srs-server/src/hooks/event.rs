//! The events, and the JSON that tells them.

use bytes::Bytes;
use serde::Serialize;
use srs_config::HttpHooks;

use super::{Caller, ConnectionFacts};

/// A stream, as a client asked for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamFacts {
    /// The virtual host.
    pub vhost: String,
    /// The application.
    pub app: String,
    /// The stream's name; empty as long as the client only connects.
    pub stream: String,
    /// The query as the client gave it, with its question mark.
    pub param: String,
    /// The URL that the client connected to.
    pub tc_url: String,
    /// The page that embeds the client.
    pub page_url: String,
    /// The stream's identity: `[vhost]/app/stream`, the default vhost written empty.
    pub stream_url: String,
    /// The stream's id, where it has one already.
    pub stream_id: String,
}

/// What begins, and later ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// The connection itself.
    Connection,
    /// A publish.
    Publish,
    /// A play.
    Play,
}

/// Which end of an [`Activity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    /// It wants to begin: the hook servers are asked.
    Start,
    /// It has ended: the hook servers are told.
    End,
}

impl Activity {
    /// The event's name in the JSON and in the configuration.
    pub(super) fn action(self, edge: Edge) -> &'static str {
        match (self, edge) {
            (Self::Connection, Edge::Start) => "on_connect",
            (Self::Connection, Edge::End) => "on_close",
            (Self::Publish, Edge::Start) => "on_publish",
            (Self::Publish, Edge::End) => "on_unpublish",
            (Self::Play, Edge::Start) => "on_play",
            (Self::Play, Edge::End) => "on_stop",
        }
    }

    /// Who is called.
    pub(super) fn urls(self, edge: Edge, hooks: &HttpHooks) -> &[String] {
        match (self, edge) {
            (Self::Connection, Edge::Start) => &hooks.on_connect,
            (Self::Connection, Edge::End) => &hooks.on_close,
            (Self::Publish, Edge::Start) => &hooks.on_publish,
            (Self::Publish, Edge::End) => &hooks.on_unpublish,
            (Self::Play, Edge::Start) => &hooks.on_play,
            (Self::Play, Edge::End) => &hooks.on_stop,
        }
    }

    /// The JSON that is posted, with the fields that SRS 7 has for the event.
    pub(super) fn payload(
        self,
        edge: Edge,
        caller: &Caller,
        connection: &ConnectionFacts,
        facts: &StreamFacts,
    ) -> Result<Bytes, serde_json::Error> {
        let is_close = self == Self::Connection && edge == Edge::End;
        let is_stream = self != Self::Connection;
        let has_page = edge == Edge::Start && self != Self::Publish;
        let payload = Payload {
            server_id: &caller.server_id,
            service_id: &caller.service_id,
            action: self.action(edge),
            client_id: &connection.client_id,
            ip: connection.ip.to_canonical().to_string(),
            vhost: &facts.vhost,
            app: &facts.app,
            tc_url: (!is_close).then_some(&facts.tc_url),
            stream: (!is_close).then_some(&facts.stream),
            param: (!is_close).then_some(&facts.param),
            page_url: has_page.then_some(&facts.page_url),
            stream_url: is_stream.then_some(&facts.stream_url),
            stream_id: (is_stream && !facts.stream_id.is_empty()).then_some(&facts.stream_id),
            send_bytes: is_close.then(|| connection.link.sent()),
            recv_bytes: is_close.then(|| connection.link.received()),
        };
        serde_json::to_vec(&payload).map(Bytes::from)
    }
}

#[derive(Debug, Serialize)]
struct Payload<'a> {
    server_id: &'a str,
    service_id: &'a str,
    action: &'static str,
    client_id: &'a str,
    ip: String,
    vhost: &'a str,
    app: &'a str,
    #[serde(rename = "tcUrl", skip_serializing_if = "Option::is_none")]
    tc_url: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a String>,
    #[serde(rename = "pageUrl", skip_serializing_if = "Option::is_none")]
    page_url: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_url: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_id: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    send_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recv_bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Arc};

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        hooks::{Post, Posting},
        net::Link,
    };

    #[test]
    fn each_event_has_the_fields_of_its_own() {
        let common = |action: &str| {
            json!({
                "server_id": "vid-1", "service_id": "s", "action": action, "client_id": "c",
                "ip": "10.0.0.1", "vhost": "v", "app": "live",
            })
        };
        let with = |action: &str, more: Value| {
            let (mut all, Value::Object(more)) = (common(action), more) else { unreachable!() };
            all.as_object_mut().unwrap().extend(more);
            all
        };
        let asked = json!({ "tcUrl": "rtmp://v/live", "stream": "a", "param": "?t=1" });
        let of_page = json!({
            "tcUrl": "rtmp://v/live", "stream": "a", "param": "?t=1", "pageUrl": "http://p/",
        });
        let identity = json!({ "stream_url": "v/live/a", "stream_id": "i" });
        let stream = |action: &str, base: &Value| {
            let mut all = with(action, base.clone());
            all.as_object_mut().unwrap().extend(identity.as_object().unwrap().clone());
            all
        };
        use Activity::*;
        use Edge::*;
        assert_eq!(payload(Connection, Start, "i"), with("on_connect", of_page.clone()));
        let closed = with("on_close", json!({ "send_bytes": 0, "recv_bytes": 0 }));
        assert_eq!(payload(Connection, End, "i"), closed);
        assert_eq!(payload(Publish, Start, "i"), stream("on_publish", &asked));
        assert_eq!(payload(Publish, End, "i"), stream("on_unpublish", &asked));
        assert_eq!(payload(Play, Start, "i"), stream("on_play", &of_page));
        assert_eq!(payload(Play, End, "i"), stream("on_stop", &asked));
        // A stream that nobody has opened yet has no id.
        assert_eq!(payload(Publish, Start, "").get("stream_id"), None);
    }

    fn payload(activity: Activity, edge: Edge, stream_id: &str) -> Value {
        struct Nobody;
        impl Post for Nobody {
            fn post(&self, _: &str, _: Bytes) -> Posting {
                Box::pin(pending())
            }
        }
        let caller = Caller {
            server_id: "vid-1".to_owned(),
            service_id: "s".to_owned(),
            post: Box::new(Nobody),
        };
        let connection = ConnectionFacts {
            client_id: "c".to_owned(),
            ip: "::ffff:10.0.0.1".parse().unwrap(),
            link: Arc::new(Link::default()),
        };
        let facts = StreamFacts {
            vhost: "v".to_owned(),
            app: "live".to_owned(),
            stream: "a".to_owned(),
            param: "?t=1".to_owned(),
            tc_url: "rtmp://v/live".to_owned(),
            page_url: "http://p/".to_owned(),
            stream_url: "v/live/a".to_owned(),
            stream_id: stream_id.to_owned(),
        };
        let json = activity.payload(edge, &caller, &connection, &facts).unwrap();
        serde_json::from_slice(&json).unwrap()
    }
}
