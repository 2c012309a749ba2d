//! What the client calls, and what it makes of the answers.

use amf0::{Object, Value};

use super::{ClientEvent, ClientSession, Purpose, State};
use crate::message::{Command, UserControl};
use crate::session::{StatusCode, status};
use crate::{Capabilities, MessageStreamId};

// Each call is made once, so that its transaction id can be fixed.
const CONNECT: f64 = 1.0;
const RELEASE_STREAM: f64 = 2.0;
const FC_PUBLISH: f64 = 3.0;
const CREATE_STREAM: f64 = 4.0;
const START: f64 = 5.0;
const FC_UNPUBLISH: f64 = 6.0;

const CONTROL: MessageStreamId = MessageStreamId::CONTROL;

impl ClientSession {
    /// `connect` goes first and alone: some servers read nothing else before it.
    pub(super) fn send_connect(&mut self) {
        let url = &self.config.url;
        let mut object = Object::from([("app", Value::from(url.app.as_str()))]);
        if matches!(self.config.purpose, Purpose::Publish { .. }) {
            object.push("type", "nonprivate");
        }
        object.push("flashVer", self.config.flash_version.as_str());
        object.push("tcUrl", url.tc_url());
        if matches!(self.config.purpose, Purpose::Play { .. }) {
            object.push("fpad", false);
            object.push("capabilities", 15.0);
            object.push("audioCodecs", 4071.0);
            object.push("videoCodecs", 252.0);
            object.push("videoFunction", 1.0);
        }
        object.extend(self.config.capabilities.to_properties());
        object.extend(self.config.connect_properties.clone());
        let connect = Command { object: object.into(), ..Command::new("connect", CONNECT) };
        self.send(CONTROL, &connect);
    }

    pub(super) fn command(&mut self, command: Command) {
        match command.name.as_str() {
            "_result" => self.result(command),
            "_error" => self.error(&command),
            "onStatus" => {
                let info = info(&command.arguments);
                self.status(info);
            }
            "close" => self.end(StatusCode::new("close"), String::new()),
            // Bandwidth checks and the like: the server waits for any answer.
            _ if command.transaction_id != 0.0 => {
                let result = status::result(command.transaction_id, Value::Null);
                self.send(CONTROL, &result);
            }
            _ => {}
        }
    }

    /// A status that comes as a data message.
    pub(super) fn status_data(&mut self, payload: &[u8]) {
        if let Ok(values) = amf0::decode_all(payload, &self.config.limits.amf0) {
            self.status(info(&values));
        }
    }

    fn result(&mut self, command: Command) {
        match self.state {
            State::Connecting if command.transaction_id == CONNECT => {
                let properties = command.object.as_object().cloned().unwrap_or_default();
                let info = info(&command.arguments);
                // Servers announce in either object.
                let mut all = properties.clone();
                all.extend(info.clone());
                let capabilities = Capabilities::from_properties(&all);
                let event = ClientEvent::Connected { properties, info, capabilities };
                self.link.push_event(event);
                self.create_stream();
            }
            State::CreatingStream if command.transaction_id == CREATE_STREAM => {
                let id = command.argument(0).and_then(Value::as_number).unwrap_or(1.0);
                self.start_stream(MessageStreamId(id as u32));
            }
            _ => {}
        }
    }

    /// Refusals of `releaseStream` and `FCPublish` do not matter: not every server knows them.
    fn error(&mut self, command: &Command) {
        let id = command.transaction_id;
        let matters = match self.state {
            State::Connecting => id == CONNECT,
            State::CreatingStream => id == CREATE_STREAM,
            State::Starting(_) => id == START,
            State::Active(_) | State::Closed => false,
        };
        if matters {
            self.reject(&info(&command.arguments));
        }
    }

    fn create_stream(&mut self) {
        self.link.send_window(self.config.window_ack_size);
        if matches!(self.config.purpose, Purpose::Publish { .. }) {
            self.link.send_chunk_size(self.config.chunk_size);
            for (name, transaction_id) in
                [("releaseStream", RELEASE_STREAM), ("FCPublish", FC_PUBLISH)]
            {
                let call = self.named(name, transaction_id);
                self.send(CONTROL, &call);
            }
        }
        self.send(CONTROL, &Command::new("createStream", CREATE_STREAM));
        self.state = State::CreatingStream;
    }

    fn start_stream(&mut self, msid: MessageStreamId) {
        self.state = State::Starting(msid);
        match &self.config.purpose {
            Purpose::Publish { kind } => {
                let kind = Value::from(kind.as_str());
                let mut publish = self.named("publish", START);
                publish.arguments.push(kind);
                self.send(msid, &publish);
            }
            Purpose::Play { start, duration } => {
                let range = [Value::from(*start), Value::from(*duration)];
                let mut play = self.named("play", START);
                play.arguments.extend(range);
                self.send(msid, &play);
                let millis = self.config.buffer_length;
                self.link.send_control(&UserControl::SetBufferLength { msid, millis });
            }
        }
    }

    pub(super) fn send_stop(&mut self) {
        let (State::Starting(msid) | State::Active(msid)) = self.state else { return };
        if matches!(self.config.purpose, Purpose::Publish { .. }) {
            let call = self.named("FCUnpublish", FC_UNPUBLISH);
            self.send(CONTROL, &call);
        }
        let delete =
            Command { arguments: vec![msid.0.into()], ..Command::new("deleteStream", 0.0) };
        self.send(CONTROL, &delete);
    }

    /// A call with the stream's name.
    fn named(&self, call: &str, transaction_id: f64) -> Command {
        let name = Value::from(self.config.url.stream.as_str());
        Command { arguments: vec![name], ..Command::new(call, transaction_id) }
    }

    fn status(&mut self, info: Object) {
        let (code, level) = (text(&info, "code"), text(&info, "level"));
        let failed = level == "error";
        if code == StatusCode::RECONNECT_REQUEST.as_str() && self.state != State::Closed {
            let tc_url = info.get("tcUrl").and_then(Value::as_str).map(str::to_owned);
            let description = text(&info, "description");
            self.link.push_event(ClientEvent::ReconnectRequested { tc_url, description });
            return;
        }
        match self.state {
            State::Closed => return,
            State::Starting(msid) if !failed && self.is_start(&code) => return self.started(msid),
            State::Starting(_) | State::Connecting | State::CreatingStream if failed => {
                return self.reject(&info);
            }
            State::Active(_) if failed || is_end(&code) => {
                return self.end(code.into(), text(&info, "description"));
            }
            _ => {}
        }
        let description = text(&info, "description");
        self.link.push_event(ClientEvent::Status { code: code.into(), level, description });
    }

    fn is_start(&self, code: &str) -> bool {
        let start = match self.config.purpose {
            Purpose::Publish { .. } => StatusCode::PUBLISH_START,
            Purpose::Play { .. } => StatusCode::PLAY_START,
        };
        code == start.as_str()
    }

    fn reject(&mut self, info: &Object) {
        self.state = State::Closed;
        let redirect = info.get("ex").and_then(Value::as_object).and_then(|ex| {
            ["redirect2", "redirect"].iter().find_map(|key| ex.get(key).and_then(Value::as_str))
        });
        self.link.push_event(ClientEvent::Rejected {
            code: text(info, "code").into(),
            description: text(info, "description"),
            redirect: redirect.map(str::to_owned),
        });
    }

    fn end(&mut self, code: StatusCode, description: String) {
        if self.state != State::Closed {
            self.state = State::Closed;
            self.link.push_event(ClientEvent::Ended { code, description });
        }
    }
}

/// The first object among the values of an answer or status.
fn info(values: &[Value]) -> Object {
    values.iter().find_map(Value::as_object).cloned().unwrap_or_default()
}

fn text(info: &Object, key: &str) -> String {
    info.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn is_end(code: &str) -> bool {
    [
        StatusCode::PLAY_STOP,
        StatusCode::PLAY_UNPUBLISH_NOTIFY,
        StatusCode::UNPUBLISH_SUCCESS,
        StatusCode::new("NetStream.Play.Complete"),
        StatusCode::new("NetConnection.Connect.Closed"),
    ]
    .iter()
    .any(|end| end.as_str() == code)
}
