//! A stream's way to its viewers: one video frame in three packets, and two packets of sound.

#[path = "../tests/support/mod.rs"]
mod support;

use divan::counter::ItemsCount;
use rtc_stack::session::Outgoing;
use rtc_stack::sfu::TrackPacket;
use support::{Abilities, Conditions, World};

fn main() {
    divan::main();
}

/// What one frame costs for so many viewers, without the sending. Items are packets that leave.
#[divan::bench(args = [1, 100, 1_000])]
fn frame(bencher: divan::Bencher<'_, '_>, viewers: usize) {
    let mut world = World::new();
    world.keeps_packets = true;
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    world.stream(publisher, 2, 1_000);
    for _ in 0..viewers {
        world.watch(stream, &abilities, Conditions::default());
    }
    world.stream(publisher, 60, 1_000);
    world.published.clear();
    let before = world.packets.len();
    world.send_frame(publisher, 1, 1_000);
    world.run(std::time::Duration::from_millis(10));
    let mut frame: Vec<TrackPacket> =
        world.packets[before..].iter().map(|(_, packet)| packet.clone()).collect();
    let mut out = Outgoing::default();
    let (now, mut sfu) = (world.now, world.sfu);
    bencher.counter(ItemsCount::new(frame.len() * viewers)).bench_local(|| {
        for packet in &mut frame {
            // The next of its track: a packet that came is not sent twice.
            packet.packet.sequence += 3;
        }
        out.clear();
        sfu.forward(now, stream, &frame, &mut out);
        out.udp.len()
    });
}
