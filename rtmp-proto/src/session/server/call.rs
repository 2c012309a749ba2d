//! What the client calls.

use amf0::{Object, Value};

use super::stream::{Begin, State};
use super::{
    Connect, Connection, EndReason, PublishKind, PublishStyle, ServerEvent, ServerSession,
};
use crate::message::{Command, UserControl};
use crate::session::{SessionError, StatusCode, status};
use crate::{MessageStreamId, RequestId};

impl ServerSession {
    /// Deals with a command, or keeps it until `connect` is answered.
    pub(super) fn command(
        &mut self,
        msid: MessageStreamId,
        command: Command,
    ) -> Result<(), SessionError> {
        match self.connection {
            Connection::New if command.name == "connect" => self.connect(command),
            Connection::Requested { .. } => {
                let limit = self.config.limits.deferred_commands;
                if self.deferred.len() >= limit {
                    return Err(SessionError::TooManyCommands { limit });
                }
                self.deferred.push_back((msid, command));
            }
            Connection::Accepted => self.call(msid, command),
            // Without a connection there is nothing to call.
            Connection::New | Connection::Rejected => {}
        }
        Ok(())
    }

    pub(super) fn run_deferred(&mut self) {
        while let Some((msid, command)) = self.deferred.pop_front() {
            self.call(msid, command);
        }
    }

    fn connect(&mut self, command: Command) {
        let id = self.new_request();
        let transaction_id = command.transaction_id;
        let connect = Box::new(Connect::new(command));
        let object_encoding = connect.object_encoding;
        self.caps_ex = connect.capabilities.caps_ex();
        self.connection = Connection::Requested { id, transaction_id, object_encoding };
        self.link.push_event(ServerEvent::ConnectRequested { id, connect });
    }

    fn call(&mut self, msid: MessageStreamId, command: Command) {
        let transaction_id = command.transaction_id;
        match command.name.as_str() {
            "createStream" => {
                self.has_created_stream = true;
                self.create_stream(transaction_id);
            }
            "FCPublish" => {
                self.fc_publish = true;
                self.note_publish_style();
                self.answer(transaction_id, Value::Undefined);
            }
            "releaseStream" => {
                self.note_publish_style();
                self.answer(transaction_id, Value::Null);
            }
            "FCUnpublish" => self.fc_unpublish(&command),
            "FCSubscribe" => self.fc_subscribe(&command),
            "publish" => self.publish(msid, &command),
            "play" => self.play(msid, &command),
            "play2" => self.play2(msid, &command),
            "closeStream" => self.close_stream(msid),
            "deleteStream" => self.delete_stream(msid, &command),
            "pause" | "pauseRaw" => self.pause(msid, &command),
            "seek" => self.seek(msid, &command),
            "receiveAudio" => self.receive_kind(msid, &command, |msid, enabled| {
                ServerEvent::ReceiveAudio { msid, enabled }
            }),
            "receiveVideo" => self.receive_kind(msid, &command, |msid, enabled| {
                ServerEvent::ReceiveVideo { msid, enabled }
            }),
            // A live stream has no length.
            "getStreamLength" | "getMovLen" => self.answer(transaction_id, 0.0.into()),
            "connect" => {
                let code = StatusCode::CONNECT_REJECTED;
                let info = status::info("error", &code, "already connected");
                self.answer_error(transaction_id, info);
            }
            // Answers to our calls, which want none.
            "_result" | "_error" => {}
            // _checkbw and all that is not known: clients wait for any answer.
            _ => self.answer(transaction_id, Value::Null),
        }
    }

    /// Notes a call that only encoders make before they publish.
    fn note_publish_style(&mut self) {
        if !self.has_created_stream {
            self.publish_style = PublishStyle::Fmle;
        } else if self.publish_style == PublishStyle::Flash {
            self.publish_style = PublishStyle::Haivision;
        }
    }

    fn answer(&mut self, transaction_id: f64, value: Value) {
        if transaction_id != 0.0 {
            let result = status::result(transaction_id, value);
            self.link.send_command(MessageStreamId::CONTROL, &result);
        }
    }

    fn answer_error(&mut self, transaction_id: f64, info: Object) {
        if transaction_id != 0.0 {
            let error = status::error(transaction_id, info);
            self.link.send_command(MessageStreamId::CONTROL, &error);
        }
    }

    /// Sends `onStatus` of level "error".
    fn refuse(&mut self, msid: MessageStreamId, code: &StatusCode, text: &str) {
        let info = status::info("error", code, text);
        self.link.send_command(msid, &status::on_status(info));
    }

    fn create_stream(&mut self, transaction_id: f64) {
        match self.streams.create() {
            // Answered whatever the transaction id: without the stream's id nothing goes on.
            Some(MessageStreamId(id)) => {
                let result = status::result(transaction_id, id.into());
                self.link.send_command(MessageStreamId::CONTROL, &result);
            }
            None => {
                let info = status::info("error", &StatusCode::CALL_FAILED, "too many streams");
                self.answer_error(transaction_id, info);
            }
        }
    }

    fn publish(&mut self, msid: MessageStreamId, command: &Command) {
        if is_stop(command) {
            return self.close_stream(msid);
        }
        let id = self.new_request();
        let stream_name = text(command, 0);
        let kind = PublishKind::from_name(&text(command, 1));
        match self.streams.get_or_create(msid) {
            Some(state @ State::Idle) => {
                *state = State::PublishRequested { id, name: stream_name.clone() };
                let event = ServerEvent::PublishRequested { id, msid, stream_name, kind };
                self.link.push_event(event);
            }
            Some(_) => {
                self.refuse(msid, &StatusCode::PUBLISH_BAD_NAME, "stream is already in use");
            }
            None => self.refuse(msid, &StatusCode::PUBLISH_BAD_NAME, "too many streams"),
        }
    }

    fn play(&mut self, msid: MessageStreamId, command: &Command) {
        if is_stop(command) {
            return self.close_stream(msid);
        }
        let number =
            |index, default| command.argument(index).and_then(Value::as_number).unwrap_or(default);
        // Sent as a boolean or as a number; the bits above the lowest ask for other things.
        let begin = match command.argument(3) {
            Some(Value::Boolean(false)) => Begin::Append,
            Some(Value::Number(reset)) if *reset == 0.0 => Begin::Append,
            _ => Begin::Reset,
        };
        self.request_play(msid, text(command, 0), number(1, -2.0), number(2, -1.0), begin);
    }

    /// `play2` of ActionScript 3: from one stream to another, as its options say. There are no playlists here.
    fn play2(&mut self, msid: MessageStreamId, command: &Command) {
        let options = command.argument(0).and_then(Value::as_object);
        let option = |key| options.and_then(|options| options.get(key));
        let text = |key| option(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let number = |key, default| option(key).and_then(Value::as_number).unwrap_or(default);
        let begin = match text("transition").as_str() {
            "stop" => return self.close_stream(msid),
            "" | "reset" => Begin::Reset,
            "switch" | "swap" | "resume" => Begin::Transition,
            _ => {
                let code = StatusCode::PLAY_FAILED;
                return self.refuse(msid, &code, "this transition is not supported");
            }
        };
        self.request_play(
            msid,
            text("streamName"),
            number("start", -2.0),
            number("len", -1.0),
            begin,
        );
    }

    fn request_play(
        &mut self,
        msid: MessageStreamId,
        stream_name: String,
        start: f64,
        duration: f64,
        begin: Begin,
    ) {
        match self.streams.get_or_create(msid) {
            Some(State::Idle | State::Playing | State::PlayRequested { .. }) => {}
            Some(_) => {
                return self.refuse(msid, &StatusCode::PLAY_FAILED, "stream is already in use");
            }
            None => return self.refuse(msid, &StatusCode::PLAY_FAILED, "too many streams"),
        }
        self.end(msid, EndReason::Replaced);
        let id = self.new_request();
        if let Some(state) = self.streams.get_mut(msid) {
            *state = State::PlayRequested { id, begin };
        }
        self.link.push_event(ServerEvent::PlayRequested {
            id,
            msid,
            stream_name,
            start,
            duration,
            reset: begin == Begin::Reset,
        });
    }

    fn fc_unpublish(&mut self, command: &Command) {
        let published = self.streams.published_as(&text(command, 0));
        let on = published.unwrap_or(MessageStreamId::CONTROL);
        let description = "Stop publishing stream.";
        let code = StatusCode::UNPUBLISH_SUCCESS;
        let info = Object::from([("code", code.as_str()), ("description", description)]);
        let call = Command { arguments: vec![info.into()], ..Command::new("onFCUnpublish", 0.0) };
        self.link.send_command(on, &call);
        self.answer(command.transaction_id, Value::Undefined);
        if let Some(msid) = published {
            self.send_status(msid, code, description);
            self.end(msid, EndReason::Unpublished);
        }
    }

    fn fc_subscribe(&mut self, command: &Command) {
        self.answer(command.transaction_id, Value::Undefined);
        let text = "Started playing stream.";
        let info = status::info("status", &StatusCode::PLAY_START, text);
        let call = Command { arguments: vec![info.into()], ..Command::new("onFCSubscribe", 0.0) };
        self.link.send_command(MessageStreamId::CONTROL, &call);
    }

    fn close_stream(&mut self, msid: MessageStreamId) {
        let Some(msid) = self.streams.active(msid) else { return };
        let code = match self.streams.get(msid) {
            Some(State::Publishing { .. }) => Some(StatusCode::UNPUBLISH_SUCCESS),
            Some(State::Playing) => Some(StatusCode::PLAY_STOP),
            _ => None,
        };
        if let Some(code) = code {
            self.send_status(msid, code, "Stream closed.");
        }
        self.end(msid, EndReason::Closed);
    }

    /// The stream is named by an argument; without one it is that of the message.
    fn delete_stream(&mut self, msid: MessageStreamId, command: &Command) {
        let named = command.argument(0).and_then(Value::as_number);
        // A float becomes the nearest id; one that does not exist deletes nothing.
        let msid = named.map_or(msid, |id| MessageStreamId(id as u32));
        self.end(msid, EndReason::Deleted);
        self.streams.remove(msid);
    }

    /// Makes a stream idle and tells the owner what that ends.
    fn end(&mut self, msid: MessageStreamId, reason: EndReason) {
        let Some(state) = self.streams.get_mut(msid) else { return };
        let event = match std::mem::replace(state, State::Idle) {
            State::Idle => return,
            State::PublishRequested { id, .. } | State::PlayRequested { id, .. } => {
                ServerEvent::RequestCancelled { id, msid }
            }
            State::Publishing { .. } => ServerEvent::PublishEnded { msid, reason },
            State::Playing => ServerEvent::PlayEnded { msid, reason },
        };
        self.link.push_event(event);
    }

    fn pause(&mut self, msid: MessageStreamId, command: &Command) {
        let Some(msid) = self.streams.playing(msid) else { return };
        let paused = flag(command, true);
        if paused {
            self.send_status(msid, StatusCode::PAUSE_NOTIFY, "Paused stream.");
            self.link.send_control(&UserControl::StreamEof(msid));
        } else {
            self.send_status(msid, StatusCode::UNPAUSE_NOTIFY, "Unpaused stream.");
            self.link.send_control(&UserControl::StreamBegin(msid));
        }
        let millis = command.argument(1).and_then(Value::as_number).unwrap_or_default();
        self.link.push_event(ServerEvent::Paused { msid, paused, millis });
    }

    fn seek(&mut self, msid: MessageStreamId, command: &Command) {
        let Some(msid) = self.streams.playing(msid) else {
            return self.refuse(msid, &StatusCode::SEEK_FAILED, "nothing is played");
        };
        let millis = command.argument(0).and_then(Value::as_number).unwrap_or_default();
        self.send_status(msid, StatusCode::SEEK_NOTIFY, "Seeking is of no effect here.");
        self.link.push_event(ServerEvent::Seek { msid, millis });
    }

    fn receive_kind(
        &mut self,
        msid: MessageStreamId,
        command: &Command,
        event: impl FnOnce(MessageStreamId, bool) -> ServerEvent,
    ) {
        if let Some(msid) = self.streams.playing(msid) {
            self.link.push_event(event(msid, flag(command, true)));
        }
    }

    pub(super) fn new_request(&mut self) -> RequestId {
        let id = RequestId(self.next_request);
        self.next_request = self.next_request.wrapping_add(1);
        id
    }
}

/// Whether `publish` or `play` has `false` for a name, as ActionScript asks for the end.
fn is_stop(command: &Command) -> bool {
    command.argument(0) == Some(&Value::Boolean(false))
}

/// The text at `index`; empty if there is none.
fn text(command: &Command, index: usize) -> String {
    command.argument(index).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The truth value of the first argument.
fn flag(command: &Command, default: bool) -> bool {
    command.argument(0).and_then(Value::as_bool).unwrap_or(default)
}
