//! Instructions per packet, counted by callgrind: the same on every run and machine of an architecture.
//!
//! `cargo bench -p rtc-stack --bench count` prints the table. Every row is run twice under valgrind, for `PACKETS` and
//! twice as many, and the difference counted, so that what is done once does not matter. Valgrind knows fewer vector
//! instructions than most processors, so the ciphers take more here than they do; what is around them is counted right.

#[path = "../tests/support/mod.rs"]
mod support;

use std::process::{Command, ExitCode};
use std::time::Instant;

use bytes::BytesMut;
use rtc_stack::rtcp::{Packets, ReportBlock, Writer};
use rtc_stack::rtp::{Fields, NackList, ReceiveStatistics, RtpPacket, TwccRecorder};
use rtc_stack::session::Outgoing;
use rtc_stack::sfu::TrackPacket;
use rtc_stack::srtp::{Inbound, Outbound, Profile, SessionKeys};
use rtc_stack::{Codec, Limits, Ssrc};
use support::{Abilities, Conditions, World};

const PACKETS: u64 = 500;
const PAYLOAD: usize = 1200;
const HEADER: usize = 12;

/// A row: its name, and what runs for so many packets of this profile.
type Row = (&'static str, fn(Profile, u64));

const PER_PROFILE: [Row; 3] = [("sealed", seal), ("opened", open), ("report sealed", seal_rtcp)];
const PLAIN: [Row; 4] = [
    ("forwarded to a viewer and sealed", forward),
    ("parsed", parse),
    ("kept, watched and recorded", keep),
    ("report written and walked", report),
];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|a| !a.starts_with("--b")).collect();
    match arguments.as_slice() {
        [name, profile, count] => {
            let rows = PER_PROFILE.iter().chain(&PLAIN);
            let run = rows.filter(|row| row.0 == name).map(|row| row.1).next();
            let profile = profile.parse().ok().and_then(Profile::from_id);
            if let (Some(run), Some(profile), Ok(count)) = (run, profile, count.parse()) {
                run(profile, count);
            }
            ExitCode::SUCCESS
        }
        [] => table(),
        // A check that it runs at all.
        _ => {
            for (_, run) in PER_PROFILE.iter().chain(&PLAIN) {
                Profile::ALL.into_iter().for_each(|profile| run(profile, 5));
            }
            ExitCode::SUCCESS
        }
    }
}

fn table() -> ExitCode {
    println!("{:32}{:>24}{:>14}", "instructions", "profile", "per packet");
    for (name, _) in PER_PROFILE {
        for profile in Profile::ALL {
            let Some(count) = counted(name, profile) else { return no_valgrind() };
            println!("{name:32}{:>24}{count:>14.0}", format!("{profile:?}"));
        }
    }
    for (name, _) in PLAIN {
        let Some(count) = counted(name, Profile::AeadAes128Gcm) else { return no_valgrind() };
        println!("{name:32}{:>24}{count:>14.0}", "");
    }
    ExitCode::SUCCESS
}

fn no_valgrind() -> ExitCode {
    eprintln!("valgrind is needed, and did not run");
    ExitCode::FAILURE
}

fn counted(name: &str, profile: Profile) -> Option<f64> {
    let total = |count: u64| -> Option<f64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(std::env::current_exe().ok()?)
            .args([name, &profile.id().to_string(), &count.to_string()])
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let line = text.lines().find(|line| line.contains("Collected :"))?;
        line.split_whitespace().last()?.parse().ok()
    };
    Some((total(2 * PACKETS)? - total(PACKETS)?) / PACKETS as f64)
}

fn pair(profile: Profile) -> Option<(Outbound, Inbound)> {
    let (keys, _) = SessionKeys::from_exporter(profile, &[7; 88], true).ok()?;
    Some((Outbound::new(&keys).ok()?, Inbound::new(keys, &Limits::default())))
}

/// A packet with room for the tag.
fn packet(profile: Profile) -> Vec<u8> {
    let mut packet = vec![0x55; HEADER + PAYLOAD + profile.rtp_overhead()];
    Fields::default().encode(&[], &mut packet);
    packet
}

fn seal(profile: Profile, count: u64) {
    let Some((outbound, _)) = pair(profile) else { return };
    let mut packet = packet(profile);
    for index in 0..count {
        Fields { sequence: index as u16, ..Fields::default() }.patch(&mut packet);
        let _ = std::hint::black_box(outbound.seal_rtp(HEADER, index, &mut packet));
    }
}

/// All packets are sealed by the same loop in either run, so that only opening is counted.
fn open(profile: Profile, count: u64) {
    let Some((outbound, mut inbound)) = pair(profile) else { return };
    let sealed = |index| {
        let mut packet = packet(profile);
        Fields { sequence: index as u16, ..Fields::default() }.patch(&mut packet);
        let _ = outbound.seal_rtp(HEADER, index, &mut packet);
        packet
    };
    let packets: Vec<_> = (0..2 * PACKETS).map(sealed).collect();
    for mut packet in packets.into_iter().take(count as usize) {
        let _ = std::hint::black_box(inbound.open_rtp(&mut packet));
    }
}

fn seal_rtcp(profile: Profile, count: u64) {
    let Some((mut outbound, _)) = pair(profile) else { return };
    let mut out = BytesMut::with_capacity(1500);
    for _ in 0..count {
        out.clear();
        Writer::new(&mut out).receiver_report(Ssrc(1), &[ReportBlock::default()]);
        let _ = std::hint::black_box(outbound.seal_rtcp(&mut out, 0));
    }
}

/// The one reading of the clock; nothing is measured by it.
#[allow(clippy::disallowed_methods)]
fn now() -> Instant {
    Instant::now()
}

fn parsed(index: u64, now: Instant) -> Option<RtpPacket> {
    let mut bytes = BytesMut::zeroed(HEADER + PAYLOAD);
    Fields { sequence: index as u16, timestamp: index as u32 * 100, ..Fields::default() }
        .encode(&[(1, b"0"), (3, &[1, 2, 3])], &mut bytes);
    RtpPacket::parse(bytes, index, now, Codec::H264).ok()
}

fn parse(_: Profile, count: u64) {
    let now = now();
    for index in 0..count {
        std::hint::black_box(parsed(index, now));
    }
}

fn keep(_: Profile, count: u64) {
    let now = now();
    let limits = Limits::default();
    let mut missing = NackList::new(&limits);
    let (mut statistics, mut recorder) =
        (ReceiveStatistics::new(90_000), TwccRecorder::new(&limits));
    let packets: Vec<_> = (0..2 * PACKETS).filter_map(|index| parsed(index, now)).collect();
    for packet in packets.into_iter().take(count as usize) {
        missing.receive(packet.sequence, now);
        statistics.receive(packet.sequence, packet.timestamp(), now);
        recorder.receive(packet.sequence as u16, now);
    }
    std::hint::black_box((missing, statistics, recorder));
}

fn report(_: Profile, count: u64) {
    let mut out = BytesMut::with_capacity(1500);
    for _ in 0..count {
        out.clear();
        let mut writer = Writer::new(&mut out);
        writer.receiver_report(Ssrc(1), &[ReportBlock::default()]);
        writer.nack(Ssrc(1), Ssrc(2), &[1, 2, 3, 40]);
        Packets::new(&out).for_each(|packet| {
            let _ = std::hint::black_box(packet);
        });
    }
}

/// `count` packets that leave: frames of three packets of 900 bytes and two of sound, to ten viewers.
fn forward(_: Profile, count: u64) {
    let mut world = World::new();
    world.keeps_packets = true;
    let abilities = Abilities::default();
    let (publisher, stream) = world.publish(&abilities, Conditions::default());
    let viewers = [0; 10].map(|_| world.watch(stream, &abilities, Conditions::default()));
    // The first packets of a source say more of it.
    world.stream(publisher, 130, 1_000);
    let before = world.packets.len();
    world.published.clear();
    world.send_frame(publisher, 1, 1_000);
    world.run(std::time::Duration::from_millis(10));
    let mut frame: Vec<TrackPacket> =
        world.packets[before..].iter().map(|(_, packet)| packet.clone()).collect();
    let mut out = Outgoing::default();
    for _ in 0..count / (frame.len() * viewers.len()).max(1) as u64 {
        for packet in &mut frame {
            // The next of its track: a packet that came is not sent twice.
            packet.packet.sequence += 3;
        }
        out.clear();
        world.sfu.forward(world.now, stream, &frame, &mut out);
        std::hint::black_box(out.udp.len());
    }
}
