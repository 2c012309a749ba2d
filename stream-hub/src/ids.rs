//! Names and numbers: streams, tracks, variants, publishers.

use std::fmt;
use std::sync::Arc;

/// The name of a stream: virtual host, application, stream.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKey {
    vhost: Arc<str>,
    app: Arc<str>,
    name: Arc<str>,
}

impl StreamKey {
    /// A key of three parts, any of which may be empty.
    pub fn new(
        vhost: impl Into<Arc<str>>,
        app: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
    ) -> Self {
        Self { vhost: vhost.into(), app: app.into(), name: name.into() }
    }

    /// The virtual host.
    #[must_use]
    pub fn vhost(&self) -> &str {
        &self.vhost
    }

    /// The application.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.app
    }

    /// The stream's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// `vhost/app/name`.
impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.vhost, self.app, self.name)
    }
}

/// A dialect of a lane's items, shared by all readers who ask for the same one.
///
/// Opaque to the hub: the caller gives it its meaning (audio only, another message stream id),
/// and the last converter of a path is made for it. 0, the default, is the plain lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Variant(pub u64);

/// The number of a track within its stream; a muxed stream has the single track 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub u32);

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a publisher says of a track it opens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrackInfo {
    /// The track's number, unique among the publisher's tracks of the same item type.
    pub id: TrackId,
    /// A word for people, shown in the statistics; may be empty.
    pub label: Arc<str>,
}

impl TrackInfo {
    /// A track without a label.
    #[must_use]
    pub fn new(id: TrackId) -> Self {
        Self { id, label: Arc::default() }
    }
}

impl From<TrackId> for TrackInfo {
    fn from(id: TrackId) -> Self {
        Self::new(id)
    }
}

/// Who publishes: an opaque text, compared for [`BusyPolicy::TakeOverSame`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublisherId(Arc<str>);

impl PublisherId {
    /// An id made of any text, such as an address and the publish parameters.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PublisherId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What happens to a publish request while another publisher is active.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum BusyPolicy {
    /// The newcomer is refused.
    #[default]
    Refuse,
    /// The newcomer takes over if its [`PublisherId`] equals the active one's, else it is refused.
    TakeOverSame,
    /// The newcomer takes over.
    TakeOver,
}

/// What a converter's maker learns about the stream it is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamInfo {
    /// The stream's name.
    pub key: StreamKey,
    /// The source tracks open now, in the order they were opened.
    pub tracks: Vec<TrackInfo>,
    /// The output track that was asked for; 0 for the intermediate steps of a path.
    pub track: TrackId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_shows_as_a_path() {
        let key = StreamKey::new("__defaultVhost__", "live", "livestream");
        assert_eq!(key.to_string(), "__defaultVhost__/live/livestream");
        assert_eq!(
            (key.vhost(), key.app(), key.name()),
            ("__defaultVhost__", "live", "livestream")
        );
    }
}
