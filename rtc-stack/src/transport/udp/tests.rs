//! Over loopback: whole arenas arrive as they were, by either way of sending.

use std::collections::HashSet;

use super::*;

fn bind(address: &str) -> UdpSocket {
    UdpSocket::bind(address.parse().unwrap(), &UdpOptions::default()).unwrap()
}

async fn receive(socket: &mut UdpSocket, count: usize) -> Vec<(Destination, Vec<u8>)> {
    let mut received = Vec::new();
    while received.len() < count {
        socket.receive(|from, datagram| received.push((from, datagram.to_vec()))).await.unwrap();
    }
    received
}

/// Runs of several sizes for two peers: what each should get, in order.
fn arena(peers: [SocketAddr; 2], local_ip: Option<IpAddr>) -> (SendArena, [Vec<Vec<u8>>; 2]) {
    let mut arena = SendArena::default();
    let mut expected = [Vec::new(), Vec::new()];
    for round in 0..40u8 {
        for (peer, expected) in peers.into_iter().zip(&mut expected) {
            for (index, length) in
                [900, 900, 900, 100 + usize::from(round), 60].into_iter().enumerate()
            {
                let datagram = vec![round ^ index as u8; length];
                arena.push(Destination { peer, local_ip }, &datagram);
                expected.push(datagram);
            }
        }
    }
    (arena, expected)
}

async fn arrives(server: &str, client: &str, local_ip: Option<&str>, has_segmentation: bool) {
    let mut sender = bind(server);
    sender.has_segmentation &= has_segmentation;
    let mut clients = [bind(client), bind(client)];
    let peers = [clients[0].local_addr(), clients[1].local_addr()];
    let (arena, expected) = arena(peers, local_ip.map(|ip| ip.parse().unwrap()));
    sender.send(&arena);
    for (client, expected) in clients.iter_mut().zip(expected) {
        let received = receive(client, expected.len()).await;
        for (from, _) in &received {
            assert_eq!(from.peer.port(), sender.local_addr().port());
            if let Some(ip) = local_ip {
                assert_eq!(from.peer.ip().to_string(), ip);
            }
        }
        let bytes: Vec<_> = received.into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(bytes, expected);
        assert_eq!(client.stats().received, expected.len() as u64);
    }
    let stats = sender.stats();
    assert_eq!((stats.sent, stats.sent_bytes), (400, arena.len() as u64));
    assert_eq!((stats.dropped_full, stats.dropped_refused), (0, 0));
    if sender.has_segmentation {
        assert!(stats.send_calls <= 4, "{stats:?}");
    }
}

#[tokio::test]
async fn an_arena_arrives_by_segmentation() {
    arrives("127.0.0.1:0", "127.0.0.1:0", None, true).await;
}

#[tokio::test]
async fn an_arena_arrives_one_by_one() {
    arrives("127.0.0.1:0", "127.0.0.1:0", None, false).await;
}

#[tokio::test]
async fn a_dual_stack_socket_reaches_ipv4_from_the_address_it_was_asked_at() {
    for has_segmentation in [true, false] {
        arrives("[::]:0", "127.0.0.1:0", Some("127.0.0.2"), has_segmentation).await;
        arrives("0.0.0.0:0", "127.0.0.1:0", Some("127.0.0.3"), has_segmentation).await;
        arrives("[::]:0", "[::1]:0", Some("::1"), has_segmentation).await;
    }
}

#[tokio::test]
async fn a_peer_is_known_by_its_own_address_and_the_one_it_wrote_to() {
    let mut server = bind("[::]:0");
    let mut client = bind("127.0.0.1:0");
    let peer = SocketAddr::from(([127, 0, 0, 5], server.local_addr().port()));
    client.send_one(Destination { peer, local_ip: None }, b"hello");
    let received = receive(&mut server, 1).await;
    let from = received[0].0;
    assert_eq!(from.peer, client.local_addr());
    assert_eq!(from.local_ip, Some(peer.ip()));
    server.send_one(from, b"answer");
    assert_eq!(receive(&mut client, 1).await[0].0.peer, peer);
}

#[tokio::test]
async fn what_the_system_refuses_is_dropped_and_the_rest_goes_on() {
    let mut sender = bind("127.0.0.1:0");
    let mut client = bind("127.0.0.1:0");
    let peer = client.local_addr();
    let wrong = Some("192.0.2.77".parse().unwrap());
    let mut arena = SendArena::default();
    arena.push(Destination { peer, local_ip: wrong }, &[1; 50]);
    arena.push(Destination { peer, local_ip: None }, &[2; 50]);
    sender.send(&arena);
    assert_eq!(receive(&mut client, 1).await[0].1, [2; 50]);
    let stats = sender.stats();
    assert_eq!((stats.sent, stats.dropped_refused), (1, 1));
}

#[tokio::test]
async fn sockets_of_one_port_share_its_peers() {
    let options = UdpOptions { is_shared: true, ..UdpOptions::default() };
    let mut first = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), &options).unwrap();
    let address = first.local_addr();
    let mut second = UdpSocket::bind(address, &options).unwrap();
    let mut clients: Vec<_> = (0..64).map(|_| bind("127.0.0.1:0")).collect();
    for client in &mut clients {
        client.send_one(Destination { peer: address, local_ip: None }, b"hello");
    }
    let mut seen = HashSet::new();
    while seen.len() < clients.len() {
        let mut take = |from: Destination, _: &mut [u8]| {
            seen.insert(from.peer);
        };
        let (one, other) = (first.try_receive(&mut take), second.try_receive(&mut take));
        if one.is_err() && other.is_err() {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(first.stats().received + second.stats().received, 64);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_comes_one_by_one_takes_a_call_each() {
    let (mut sender, mut receiver) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let to = Destination { peer: receiver.local_addr(), local_ip: None };
    for sent in 1..=3 {
        sender.send_one(to, &[7; 20]);
        assert_eq!(receive(&mut receiver, 1).await.len(), 1);
        let more = receiver.try_receive(&mut |_, _| {});
        assert_eq!(more.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(receiver.stats().receive_calls, sent);
    }
    // What comes while nothing is known to be there is not missed, and not looked for.
    sender.send_one(to, &[7; 20]);
    let unseen = receiver.try_receive(&mut |_, _| {});
    assert_eq!(unseen.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(receive(&mut receiver, 1).await.len(), 1);
}
