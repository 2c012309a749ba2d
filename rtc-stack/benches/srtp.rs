//! SRTP, per packet of 1,200 bytes of payload: sealed for a viewer, opened from a publisher.

use divan::counter::ItemsCount;
use rtc_stack::Limits;
use rtc_stack::rtp::Fields;
use rtc_stack::srtp::{Inbound, Outbound, Profile, SessionKeys};

const PAYLOAD: usize = 1200;
const HEADER: usize = 12;
const PACKETS: u64 = 100;

fn main() {
    divan::main();
}

fn pair(profile: Profile) -> Option<(Outbound, Inbound)> {
    let material = [7; 88];
    let (keys, _) = SessionKeys::from_exporter(profile, &material, true).ok()?;
    Some((Outbound::new(&keys).ok()?, Inbound::new(keys, &Limits::default())))
}

/// A packet with room for the tag.
fn packet(profile: Profile, index: u64) -> Vec<u8> {
    let mut packet = vec![0x55; HEADER + PAYLOAD + profile.rtp_overhead()];
    Fields { sequence: index as u16, ..Fields::default() }.encode(&[], &mut packet);
    packet
}

#[divan::bench(args = Profile::ALL)]
fn seal(bencher: divan::Bencher, profile: Profile) {
    let Some((outbound, _)) = pair(profile) else { return };
    bencher
        .counter(ItemsCount::new(PACKETS))
        .with_inputs(|| (0..PACKETS).map(|index| packet(profile, index)).collect::<Vec<_>>())
        .bench_local_refs(|packets| {
            for (index, packet) in (0..).zip(packets) {
                let _ = outbound.seal_rtp(HEADER, index, packet);
            }
        });
}

#[divan::bench(args = Profile::ALL)]
fn open(bencher: divan::Bencher, profile: Profile) {
    let Some((outbound, _)) = pair(profile) else { return };
    let mut sealed: Vec<_> = (0..PACKETS).map(|index| packet(profile, index)).collect();
    for (index, packet) in (0..).zip(&mut sealed) {
        let _ = outbound.seal_rtp(HEADER, index, packet);
    }
    bencher
        .counter(ItemsCount::new(PACKETS))
        .with_inputs(|| (pair(profile).map(|pair| pair.1), sealed.clone()))
        .bench_local_refs(|(inbound, packets)| {
            let Some(inbound) = inbound else { return };
            for packet in packets {
                let _ = divan::black_box(inbound.open_rtp(packet));
            }
        });
}
