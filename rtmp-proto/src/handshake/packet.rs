use crate::random::Random;

/// The size of C1, C2, S1 and S2 in bytes.
pub const PACKET_SIZE: usize = 1536;

/// C1, S1, C2 or S2.
pub(super) type Packet = [u8; PACKET_SIZE];

/// A C1 or S1 of the simple form: time 0, four zero bytes, random bytes (specification 5.2.3).
///
/// The zero bytes tell clients that know digests not to look for one.
pub(super) fn simple(random: &mut Random) -> Packet {
    let mut packet = [0; PACKET_SIZE];
    if let Some(filler) = packet.get_mut(8..) {
        random.fill(filler);
    }
    packet
}

/// Gathers a packet from any split of its bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Gather(Vec<u8>);

impl Gather {
    /// Takes what is missing from `input`; the packet once it is complete.
    pub(super) fn take(&mut self, input: &mut &[u8]) -> Option<Packet> {
        let missing = PACKET_SIZE.saturating_sub(self.0.len());
        let (head, rest) = input.split_at_checked(missing).unwrap_or((*input, &[]));
        *input = rest;
        self.0.extend_from_slice(head);
        let packet = Packet::try_from(self.0.as_slice()).ok()?;
        self.0 = Vec::new();
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simple_form_has_no_version() {
        let packet = simple(&mut Random::new(7));
        assert_eq!(packet[..8], [0; 8]);
        assert_ne!(packet[8..16], [0; 8]);
        assert_ne!(packet, simple(&mut Random::new(8)));
    }

    #[test]
    fn gathers_exactly_one_packet() {
        let bytes = [7; PACKET_SIZE + 3];
        let mut gather = Gather::default();
        let mut input = &bytes[..1000];
        assert_eq!(gather.take(&mut input), None);
        let mut input = &bytes[1000..];
        assert_eq!(gather.take(&mut input), Some([7; PACKET_SIZE]));
        assert_eq!(input.len(), 3);
    }
}
