//! The same packets to all who play by WebRTC: one pass per frame, in which each packet is copied,
//! numbered and sealed for each player where it leaves from. Nothing is kept and no report is read.

mod pass;
mod peers;

use std::{error::Error, future::poll_fn, net::IpAddr, sync::Arc};

use rtc_stack::{
    arena::SendArena,
    transport::udp::{UdpOptions, UdpSocket},
};
use tokio::{
    select,
    sync::{Notify, mpsc},
    task::yield_now,
    time::{Instant, sleep_until},
};

use self::{
    pass::packets,
    peers::{Peers, Woken},
};
use crate::stream::Stream;

pub(super) use self::peers::Offer;

/// Sends to all players for as long as they can join. They are told of a port of this address.
pub(super) async fn run(
    mut stream: Stream,
    address: IpAddr,
    mut offers: mpsc::Receiver<Offer>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let options = UdpOptions::default();
    let mut socket = UdpSocket::bind((address, 0).into(), &options)?;
    let woken = Arc::new(Woken(Notify::new()));
    let mut peers = Peers::new(socket.local_addr(), Arc::clone(&woken))?;
    let mut out = SendArena::default();
    let start = Instant::now();
    loop {
        // Whoever is late has no time to wait, and would keep handshakes from running.
        yield_now().await;
        select! {
            () = sleep_until(start + stream.due()) => {
                let (now, mut pass) = (Instant::now(), Vec::new());
                while start + stream.due() <= now {
                    packets(&stream.next_frame(), now - start, &mut pass);
                }
                peers.pass(&pass, &mut out);
            }
            offer = offers.recv() => {
                let Some(offer) = offer else { return Ok(()) };
                peers.answer(offer);
            }
            () = woken.0.notified() => {}
            // Where nobody joins, what comes has time until the next frame.
            readable = poll_fn(|cx| socket.poll_readable(cx)), if peers.are_joining() => readable?,
        }
        socket.send(&out);
        out.clear();
        while socket
            .try_receive(&mut |from, datagram| peers.receive(from, datagram, &mut out))
            .is_ok()
        {}
        peers.shake(&mut out);
        socket.send(&out);
        out.clear();
    }
}
