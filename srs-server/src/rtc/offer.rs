//! An offer as the vhost wants it to be understood.

use rtc_stack::sdp::{Extension, Offer, SdpError, Setup};
use srs_config::Rtc;

/// Leaves out of an offer what the vhost doesn't do, so that the answer doesn't agree to it; and
/// where the client leaves the choice, lets the vhost say who begins the DTLS handshake.
///
/// # Errors
/// None but those of a description that can't be read.
pub(super) fn adapted(offer: &Offer, rtc: &Rtc) -> Result<Offer, SdpError> {
    let is_client = rtc.dtls_role == "active";
    if rtc.nack && rtc.twcc && !is_client {
        return Ok(offer.clone());
    }
    let mut description = offer.description().clone();
    for section in &mut description.sections {
        for codec in &mut section.codecs {
            codec.feedback.nack &= rtc.nack;
            codec.feedback.transport_cc &= rtc.twcc;
        }
        if !rtc.twcc {
            section.extensions.retain(|map| map.extension != Extension::TransportWideCc);
        }
        if is_client && section.setup == Some(Setup::Actpass) {
            section.setup = Some(Setup::Passive);
        }
    }
    Offer::parse(&description.to_string())
}
