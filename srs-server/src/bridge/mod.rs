//! Bridges: what RTMP publishers bring, as RTP for WebRTC viewers.
//!
//! A bridge is a converter of the hub: it works once for a stream, whatever the number of viewers, from
//! the first viewer that needs it on, on a task beside the shards.

mod to_rtc;

use std::sync::Arc;

use stream_hub::{Hub, Place, Unavailable};

use self::to_rtc::ToRtc;
use crate::{
    live::Vhosts,
    media::{Frame, RtpItem},
};

/// Tells the hub how the streams of vhosts that have it on are bridged.
pub fn register(hub: &Hub, vhosts: &Arc<Vhosts>) {
    let vhosts = vhosts.clone();
    hub.register::<Frame, RtpItem>(Place::Task, move |stream, _| {
        let vhost = vhosts.find(stream.key.vhost());
        match vhost.filter(|vhost| vhost.settings.rtc.rtmp_to_rtc) {
            Some(vhost) => Ok(Box::new(ToRtc::new(&vhost.settings.rtc))),
            None => Err(Unavailable::refused("rtmp_to_rtc is off")),
        }
    });
}
