//! Bridges: RTMP's frames as RTP for WebRTC viewers, and RTP as frames for all others.
//!
//! A bridge is a converter of the hub: it works once for a stream, whatever the number of viewers, from
//! the first viewer that needs it on, on a task beside the shards.

mod counters;
mod from_rtc;
mod pace;
#[cfg(test)]
mod tests;
mod to_rtc;
mod transcode;

use std::sync::Arc;

use stream_hub::{Hub, Place, StreamInfo, Unavailable, Variant};

use self::counters::Running;
pub use self::counters::{Counters, Direction};
pub(crate) use self::from_rtc::Wanted;
use self::{from_rtc::FromRtc, to_rtc::ToRtc};
use crate::{
    live::{Vhost, Vhosts},
    media::{Frame, RtpItem},
};

/// Tells the hub how the streams of vhosts that have it on are bridged.
pub fn register(hub: &Hub, vhosts: &Arc<Vhosts>, counters: &Arc<Counters>) {
    let (known, counted) = (vhosts.clone(), counters.clone());
    hub.register::<Frame, RtpItem>(Place::Task, move |stream, _| {
        match vhost(&known, stream).filter(|vhost| vhost.settings.rtc.rtmp_to_rtc) {
            Some(vhost) => {
                let running = Running::new(&counted, Direction::ToRtc);
                Ok(Box::new(ToRtc::new(&vhost.settings.rtc, running)))
            }
            None => Err(Unavailable::refused("rtmp_to_rtc is off")),
        }
    });
    let (known, counted) = (vhosts.clone(), counters.clone());
    hub.register::<RtpItem, Frame>(Place::Task, move |stream, variant: Variant| {
        match vhost(&known, stream).filter(|vhost| vhost.settings.rtc.rtc_to_rtmp) {
            Some(vhost) => {
                let running = Running::new(&counted, Direction::FromRtc);
                Ok(Box::new(FromRtc::new(&vhost.settings.rtc, variant.into(), running)))
            }
            None => Err(Unavailable::refused("rtc_to_rtmp is off")),
        }
    });
}

fn vhost(vhosts: &Vhosts, stream: &StreamInfo) -> Option<Arc<Vhost>> {
    vhosts.find(stream.key.vhost())
}
