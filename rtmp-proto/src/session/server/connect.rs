use amf0::{Object, Value};

use crate::Capabilities;
use crate::message::Command;
use crate::url::{StreamAddress, UrlError, resolve};

/// What a client says of itself in `connect` (specification 7.2.1.1). What it leaves out is empty or 0.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Connect {
    /// The app, with its query.
    pub app: String,
    /// The address the client connected to, without the stream.
    pub tc_url: String,
    /// The page the player is on.
    pub page_url: String,
    /// The player.
    pub swf_url: String,
    /// The version of the client, such as `FMLE/3.0`.
    pub flash_version: String,
    /// 0 for AMF0, 3 for AMF3.
    pub object_encoding: f64,
    /// What the client announces of Enhanced RTMP, and the codecs of old tags that it knows.
    pub capabilities: Capabilities,
    /// All properties as sent.
    pub properties: Object,
    /// What follows the properties.
    pub arguments: Vec<Value>,
}

impl Connect {
    pub(super) fn new(command: Command) -> Self {
        let properties = match command.object {
            Value::Object(object) | Value::EcmaArray(object) => object,
            Value::TypedObject { properties, .. } => properties,
            _ => Object::new(),
        };
        let text = |key| {
            let value = properties.get(key).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        Self {
            app: text("app"),
            tc_url: text("tcUrl"),
            page_url: text("pageUrl"),
            swf_url: text("swfUrl"),
            flash_version: text("flashVer"),
            object_encoding: properties
                .get("objectEncoding")
                .and_then(Value::as_number)
                .unwrap_or_default(),
            capabilities: Capabilities::from_properties(&properties),
            arguments: command.arguments,
            properties,
        }
    }

    /// Finds the stream that a publish or play on this connection means.
    ///
    /// # Errors
    ///
    /// [`UrlError::EmptyStream`] if no stream is named and none can be guessed.
    pub fn resolve(&self, stream_name: &str) -> Result<StreamAddress, UrlError> {
        resolve(&self.tc_url, &self.app, stream_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_and_defaults() {
        let object = Object::from([
            ("app", Value::from("live")),
            ("tcUrl", "rtmp://h/live".into()),
            ("objectEncoding", 3.0.into()),
            ("fpad", false.into()),
            ("swfUrl", Value::Undefined),
        ]);
        let command = Command { object: object.clone().into(), ..Command::new("connect", 1.0) };
        let connect = Connect::new(command);
        assert_eq!((connect.app.as_str(), connect.object_encoding), ("live", 3.0));
        assert_eq!((connect.swf_url.as_str(), &connect.properties), ("", &object));
        assert_eq!(connect.resolve("s").unwrap().stream, "s");
        assert_eq!(Connect::new(Command::new("connect", 1.0)), Connect::default());
    }
}
