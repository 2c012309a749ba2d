//! What the owner decides: accept and reject, and the end of a play or publish.

use amf0::{Object, Value};
use bytes::BytesMut;

use super::stream::{Begin, State};
use super::{Connection, ServerSession};
use crate::message::{BandwidthLimit, Command, Message, SetPeerBandwidth, UserControl};
use crate::session::{ReconnectError, StatusCode, UnknownRequest, UnknownStream, status};
use crate::{CapsEx, ChunkStreamId, MessageStreamId, MessageType, RequestId};

/// What old players compare before they use a feature.
const SERVER_VERSION: &str = "FMS/3,5,3,888";
const CAPABILITIES: f64 = 31.0;
const CLIENT_ID: &str = "ASAICiss";

impl ServerSession {
    /// Grants what the client asked for, and tells it so.
    ///
    /// For a connect, that is followed by the commands that came meanwhile; poll for their events.
    ///
    /// # Errors
    ///
    /// [`UnknownRequest`] if nothing waits under this id; nothing is sent then.
    pub fn accept(&mut self, id: RequestId) -> Result<(), UnknownRequest> {
        if self.failed.is_some() {
            return Err(UnknownRequest(id));
        }
        if let Connection::Requested { id: waiting, transaction_id, object_encoding } =
            self.connection
            && waiting == id
        {
            self.connection = Connection::Accepted;
            self.send_connected(transaction_id, object_encoding);
            self.run_deferred();
            return Ok(());
        }
        let (msid, state) = self.streams.requested(id).ok_or(UnknownRequest(id))?;
        match std::mem::replace(state, State::Playing) {
            State::PublishRequested { name, .. } => {
                *state = State::Publishing { name };
                self.send_publish_start(msid);
            }
            State::PlayRequested { begin, .. } => self.send_play_start(msid, begin),
            // Only these two wait for an answer.
            other => *state = other,
        }
        self.set_up = true;
        Ok(())
    }

    /// Refuses what the client asked for, and tells it why. The connection is not closed by this.
    ///
    /// The status is for example [`StatusCode::CONNECT_REJECTED`], [`StatusCode::PUBLISH_BAD_NAME`] or
    /// [`StatusCode::PLAY_STREAM_NOT_FOUND`]; the description is for people, and cut at 1024 bytes.
    ///
    /// # Errors
    ///
    /// [`UnknownRequest`] if nothing waits under this id; nothing is sent then.
    pub fn reject(
        &mut self,
        id: RequestId,
        status: StatusCode,
        description: &str,
    ) -> Result<(), UnknownRequest> {
        self.reject_with(id, status, description, Object::new())
    }

    /// Refuses as [`reject`](Self::reject) does, with further properties such as `ex`, which redirects a client.
    ///
    /// # Errors
    ///
    /// [`UnknownRequest`] if nothing waits under this id; nothing is sent then.
    pub fn reject_with(
        &mut self,
        id: RequestId,
        status: StatusCode,
        description: &str,
        properties: Object,
    ) -> Result<(), UnknownRequest> {
        if self.failed.is_some() {
            return Err(UnknownRequest(id));
        }
        let mut info = status::info("error", &status, description);
        info.extend(properties);
        match self.connection {
            Connection::Requested { id: waiting, transaction_id, .. } if waiting == id => {
                self.connection = Connection::Rejected;
                self.deferred.clear();
                let error = status::error(transaction_id, info);
                self.link.send_command(MessageStreamId::CONTROL, &error);
            }
            _ => {
                let (msid, state) = self.streams.requested(id).ok_or(UnknownRequest(id))?;
                *state = State::Idle;
                self.link.send_command(msid, &status::on_status(info));
            }
        }
        Ok(())
    }

    /// Ends a play because its publisher has gone, and tells the player so. There is no event for it.
    ///
    /// # Errors
    ///
    /// [`UnknownStream`] if nothing is played on this message stream.
    pub fn end_play(&mut self, msid: MessageStreamId) -> Result<(), UnknownStream> {
        match self.streams.get_mut(msid) {
            Some(state @ State::Playing) if self.failed.is_none() => *state = State::Idle,
            _ => return Err(UnknownStream(msid)),
        }
        self.link.send_control(&UserControl::StreamEof(msid));
        self.send_status(msid, StatusCode::PLAY_UNPUBLISH_NOTIFY, "stream is now unpublished");
        self.send_status(msid, StatusCode::PLAY_STOP, "Stopped playing stream.");
        Ok(())
    }

    /// Ends a publish from this side, and tells the publisher why. There is no event for it, and no more media.
    ///
    /// # Errors
    ///
    /// [`UnknownStream`] if nothing is published on this message stream.
    pub fn end_publish(
        &mut self,
        msid: MessageStreamId,
        status: StatusCode,
        description: &str,
    ) -> Result<(), UnknownStream> {
        match self.streams.get_mut(msid) {
            Some(state @ State::Publishing { .. }) if self.failed.is_none() => *state = State::Idle,
            _ => return Err(UnknownStream(msid)),
        }
        let info = status::info("error", &status, description);
        self.link.send_command(msid, &status::on_status(info));
        Ok(())
    }

    /// Asks the client to connect anew, at another address if one is given (Enhanced RTMP v2, "Reconnect Request").
    ///
    /// The address may be relative. The client goes when it likes, between two keyframes at best, and media flows until
    /// then. The description is for people, and cut at 1024 bytes.
    ///
    /// # Errors
    ///
    /// [`ReconnectError`]; nothing is sent then.
    pub fn request_reconnect(
        &mut self,
        tc_url: Option<&str>,
        description: &str,
    ) -> Result<(), ReconnectError> {
        if self.failed.is_some() || self.connection != Connection::Accepted {
            return Err(ReconnectError::NotConnected);
        }
        if !self.caps_ex.contains(CapsEx::RECONNECT) {
            return Err(ReconnectError::NotAnnounced);
        }
        let mut info = status::info("status", &StatusCode::RECONNECT_REQUEST, description);
        if let Some(tc_url) = tc_url {
            info.push("tcUrl", tc_url);
        }
        self.link.send_command(MessageStreamId::CONTROL, &status::on_status(info));
        Ok(())
    }

    /// Sends `onStatus` of level "status".
    pub(super) fn send_status(&mut self, msid: MessageStreamId, code: StatusCode, text: &str) {
        let info = status::info("status", &code, text);
        self.link.send_command(msid, &status::on_status(info));
    }

    fn send_connected(&mut self, transaction_id: f64, object_encoding: f64) {
        if self.config.window_ack_size > 0 {
            self.link.send_window(self.config.window_ack_size);
        }
        self.link.send_control(&SetPeerBandwidth {
            window: self.config.peer_bandwidth,
            limit: BandwidthLimit::Dynamic,
        });
        self.link.send_chunk_size(self.config.chunk_size);

        let mut properties = Object::from([
            ("fmsVer", Value::from(SERVER_VERSION)),
            ("capabilities", CAPABILITIES.into()),
            ("mode", 1.0.into()),
        ]);
        let capabilities = self.config.capabilities.to_properties();
        properties.extend(capabilities.clone());
        properties.extend(self.config.connect_properties.clone());
        let mut data = Object::from([("version", SERVER_VERSION)]);
        data.extend(self.config.connect_data.clone());
        let mut info = status::info("status", &StatusCode::CONNECT_SUCCESS, "Connection succeeded");
        info.push("objectEncoding", object_encoding);
        info.push("data", Value::EcmaArray(data));
        // Clients look for them in either object.
        info.extend(capabilities);
        let result =
            Command { object: properties.into(), ..status::result(transaction_id, info.into()) };
        self.link.send_command(MessageStreamId::CONTROL, &result);
        if self.config.on_bw_done {
            let call = Command::new("onBWDone", 0.0);
            self.link.send_command(MessageStreamId::CONTROL, &call);
        }
    }

    fn send_publish_start(&mut self, msid: MessageStreamId) {
        let text = "Started publishing stream.";
        if self.fc_publish {
            let info =
                Object::from([("code", StatusCode::PUBLISH_START.as_str()), ("description", text)]);
            let call = Command { arguments: vec![info.into()], ..Command::new("onFCPublish", 0.0) };
            self.link.send_command(msid, &call);
        }
        let mut info = status::info("status", &StatusCode::PUBLISH_START, text);
        info.push("clientid", CLIENT_ID);
        self.link.send_command(msid, &status::on_status(info));
    }

    fn send_play_start(&mut self, msid: MessageStreamId, begin: Begin) {
        self.link.send_control(&UserControl::StreamBegin(msid));
        match begin {
            Begin::Reset => {
                let text = "Playing and resetting stream.";
                self.send_play_status(msid, &StatusCode::PLAY_RESET, text);
            }
            Begin::Transition => {
                let text = "Transitioning to stream.";
                self.send_play_status(msid, &StatusCode::PLAY_TRANSITION, text);
            }
            Begin::Append => {}
        }
        self.send_play_status(msid, &StatusCode::PLAY_START, "Started playing stream.");
        let access = [Value::from("|RtmpSampleAccess"), true.into(), true.into()];
        self.send_data(msid, &access);
        let start = Object::from([("code", StatusCode::DATA_START.as_str())]);
        self.send_data(msid, &["onStatus".into(), start.into()]);
        if begin == Begin::Transition {
            let code = StatusCode::PLAY_TRANSITION_COMPLETE;
            let complete = status::info("status", &code, "Transitioned to stream.");
            self.send_data(msid, &["onPlayStatus".into(), complete.into()]);
        }
    }

    fn send_play_status(&mut self, msid: MessageStreamId, code: &StatusCode, text: &str) {
        let mut info = status::info("status", code, text);
        info.push("details", "stream");
        info.push("clientid", CLIENT_ID);
        self.link.send_command(msid, &status::on_status(info));
    }

    fn send_data(&mut self, msid: MessageStreamId, values: &[Value]) {
        let mut payload = BytesMut::new();
        if amf0::encode_all(values, &mut payload).is_ok() {
            let message = Message {
                csid: ChunkStreamId::STREAM,
                msid,
                type_id: MessageType::DATA_AMF0,
                timestamp: 0,
                payload: payload.freeze(),
            };
            let _fits = self.link.send(&message);
        }
    }
}
