use std::borrow::Cow;
use std::fmt;

use amf0::{Object, Value};

use crate::message::Command;

/// Longer descriptions are cut: they are for people to read.
const MAX_DESCRIPTION: usize = 1024;

/// The code of a status, such as `NetStream.Publish.Start`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StatusCode(Cow<'static, str>);

impl StatusCode {
    /// The connection is accepted.
    pub const CONNECT_SUCCESS: Self = Self::new("NetConnection.Connect.Success");
    /// The connection is refused.
    pub const CONNECT_REJECTED: Self = Self::new("NetConnection.Connect.Rejected");
    /// The app does not exist.
    pub const CONNECT_INVALID_APP: Self = Self::new("NetConnection.Connect.InvalidApp");
    /// The client is asked to connect anew.
    pub const RECONNECT_REQUEST: Self = Self::new("NetConnection.Connect.ReconnectRequest");
    /// A call failed.
    pub const CALL_FAILED: Self = Self::new("NetConnection.Call.Failed");
    /// Publishing is accepted.
    pub const PUBLISH_START: Self = Self::new("NetStream.Publish.Start");
    /// Publishing is refused: the name is in use, or not allowed.
    pub const PUBLISH_BAD_NAME: Self = Self::new("NetStream.Publish.BadName");
    /// Publishing has ended.
    pub const UNPUBLISH_SUCCESS: Self = Self::new("NetStream.Unpublish.Success");
    /// The playlist is started over.
    pub const PLAY_RESET: Self = Self::new("NetStream.Play.Reset");
    /// Playing is accepted.
    pub const PLAY_START: Self = Self::new("NetStream.Play.Start");
    /// Playing goes over to another stream.
    pub const PLAY_TRANSITION: Self = Self::new("NetStream.Play.Transition");
    /// Playing has gone over to another stream.
    pub const PLAY_TRANSITION_COMPLETE: Self = Self::new("NetStream.Play.TransitionComplete");
    /// Playing has ended.
    pub const PLAY_STOP: Self = Self::new("NetStream.Play.Stop");
    /// Playing is refused.
    pub const PLAY_FAILED: Self = Self::new("NetStream.Play.Failed");
    /// There is no such stream.
    pub const PLAY_STREAM_NOT_FOUND: Self = Self::new("NetStream.Play.StreamNotFound");
    /// The publisher of what is played has gone.
    pub const PLAY_UNPUBLISH_NOTIFY: Self = Self::new("NetStream.Play.UnpublishNotify");
    /// Media follows.
    pub const DATA_START: Self = Self::new("NetStream.Data.Start");
    /// Playing pauses.
    pub const PAUSE_NOTIFY: Self = Self::new("NetStream.Pause.Notify");
    /// Playing goes on.
    pub const UNPAUSE_NOTIFY: Self = Self::new("NetStream.Unpause.Notify");
    /// A seek was taken note of.
    pub const SEEK_NOTIFY: Self = Self::new("NetStream.Seek.Notify");
    /// A seek where nothing is played.
    pub const SEEK_FAILED: Self = Self::new("NetStream.Seek.Failed");

    /// Makes a code of any text.
    pub const fn new(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for StatusCode {
    fn from(code: String) -> Self {
        Self(Cow::Owned(code))
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An object that tells of success or failure.
pub(super) fn info(level: &str, code: &StatusCode, description: &str) -> Object {
    Object::from([
        ("level", level),
        ("code", code.as_str()),
        ("description", cut(description, MAX_DESCRIPTION)),
    ])
}

/// `onStatus` with an info object.
pub(super) fn on_status(info: Object) -> Command {
    Command { arguments: vec![info.into()], ..Command::new("onStatus", 0.0) }
}

/// `_result` to a call.
pub(super) fn result(transaction_id: f64, value: Value) -> Command {
    Command { arguments: vec![value], ..Command::new("_result", transaction_id) }
}

/// `_error` to a call.
pub(super) fn error(transaction_id: f64, info: Object) -> Command {
    Command { arguments: vec![info.into()], ..Command::new("_error", transaction_id) }
}

/// Cuts text to at most `max` bytes, between two characters.
fn cut(text: &str, max: usize) -> &str {
    (0..=max.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_descriptions_are_cut_between_characters() {
        let text = format!("a{}", "é".repeat(MAX_DESCRIPTION));
        let info = info("error", &StatusCode::PLAY_FAILED, &text);
        assert_eq!(info.get("description").and_then(Value::as_str).map(str::len), Some(1023));
        assert_eq!(info.get("code").and_then(Value::as_str), Some("NetStream.Play.Failed"));
    }
}
