use bytes::{BufMut, BytesMut};
use nom::number::complete::{be_u8, be_u32};

use super::{ControlMessage, MessageError};
use crate::MessageType;

/// How a [`SetPeerBandwidth`] is meant (specification 5.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BandwidthLimit {
    /// 0: the window is the new limit.
    Hard,
    /// 1: the smaller of the new and the present limit holds.
    Soft,
    /// 2: hard if the present limit was hard, else nothing.
    Dynamic,
    /// Anything else.
    Other(u8),
}

/// Set Peer Bandwidth (specification 5.4.5): asks the peer to limit its unacknowledged output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetPeerBandwidth {
    /// The window in bytes.
    pub window: u32,
    /// How it is meant.
    pub limit: BandwidthLimit,
}

impl SetPeerBandwidth {
    /// Decodes the payload. A payload without the limit type is taken as dynamic.
    ///
    /// # Errors
    ///
    /// [`MessageError::Truncated`] for fewer than four bytes.
    pub fn decode(payload: &[u8]) -> Result<Self, MessageError> {
        let truncated =
            |_| MessageError::Truncated { what: "set peer bandwidth", len: payload.len() };
        let (rest, window) = be_u32::<_, ()>(payload).map_err(truncated)?;
        let limit = match be_u8::<_, ()>(rest) {
            Ok((_, 0)) => BandwidthLimit::Hard,
            Ok((_, 1)) => BandwidthLimit::Soft,
            Ok((_, 2)) | Err(_) => BandwidthLimit::Dynamic,
            Ok((_, other)) => BandwidthLimit::Other(other),
        };
        Ok(Self { window, limit })
    }
}

impl ControlMessage for SetPeerBandwidth {
    const TYPE: MessageType = MessageType::SET_PEER_BANDWIDTH;

    fn encode(&self, out: &mut BytesMut) {
        out.put_u32(self.window);
        out.put_u8(match self.limit {
            BandwidthLimit::Hard => 0,
            BandwidthLimit::Soft => 1,
            BandwidthLimit::Dynamic => 2,
            BandwidthLimit::Other(other) => other,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_bytes() {
        let limits = [
            (0, BandwidthLimit::Hard),
            (1, BandwidthLimit::Soft),
            (2, BandwidthLimit::Dynamic),
            (9, BandwidthLimit::Other(9)),
        ];
        for (byte, limit) in limits {
            let message = SetPeerBandwidth { window: 2_500_000, limit };
            let wire = [0, 0x26, 0x25, 0xa0, byte];
            assert_eq!(message.to_message().payload[..], wire);
            assert_eq!(SetPeerBandwidth::decode(&wire), Ok(message));
        }
        assert_eq!(
            SetPeerBandwidth::decode(&[0, 0, 0, 1]),
            Ok(SetPeerBandwidth { window: 1, limit: BandwidthLimit::Dynamic })
        );
        assert!(SetPeerBandwidth::decode(&[0, 0, 0]).is_err());
    }
}
