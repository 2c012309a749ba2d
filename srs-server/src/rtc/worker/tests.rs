//! Workers with their sockets, and clients that do no more than check.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use rtc_stack::{
    sdp::{HostCandidate, Offer},
    stun::Credentials,
};
use rtmp_proto::url::resolve;
use stun::{
    agent::TransactionId,
    attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USERNAME},
    integrity::MessageIntegrity,
    message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter},
    textattrs::TextAttribute,
};
use tokio::{
    net::UdpSocket,
    time::{sleep, timeout},
};

use super::Command;
use crate::{
    config::Settings,
    rtc::{Rtc, Session, SessionRequest, WorkerId, begin},
    server::Server,
};

const LIMIT: Duration = Duration::from_secs(20);
const PASSWORD: &str = "a password of a client";

/// A server of so many shards, and where its WebRTC is.
fn server(shards: usize) -> (Server, SocketAddr) {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut settings = Settings::listening_on(any, any, any);
    settings.tuning.shards = shards;
    let rtc = &mut settings.config.rtc_server;
    (rtc.enabled, rtc.tcp.enabled, rtc.listen) = (true, false, vec![any]);
    let server = Server::start(settings).unwrap();
    let address = server.rtc()[0];
    (server, address)
}

fn rtc(server: &Server) -> Arc<Rtc> {
    server.shared().rtc.clone().unwrap()
}

/// A session of a viewer that knows the server by this name.
async fn session(server: &Server, address: SocketAddr, ufrag: &str) -> Arc<Session> {
    let shared = server.shared();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../rtc-stack/tests/sdp/chrome-play.sdp");
    let offer = Offer::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let password = PASSWORD.replace(' ', "+");
    let request = SessionRequest {
        role: crate::rtc::Role::Play,
        vhost: shared.vhost("__defaultVhost__").unwrap(),
        address: resolve("webrtc://127.0.0.1/live", "live", ufrag).unwrap(),
        tc_url: String::new(),
        page_url: String::new(),
        ip: Ipv4Addr::LOCALHOST.into(),
        offer,
        credentials: Some(Credentials::new(ufrag, &password).unwrap()),
        codecs: Vec::new(),
        hosts: vec![HostCandidate::udp(address)],
    };
    begin(shared, &rtc(server), request).await.unwrap().session
}

/// Checks from this socket until it is answered.
async fn check(socket: &UdpSocket, server: SocketAddr, session: &Session) {
    let user = format!("{}:{}", session.local().ufrag(), session.remote().ufrag());
    let mut request = Message::new();
    let setters: [Box<dyn Setter>; 3] = [
        Box::new(TransactionId::new()),
        Box::new(BINDING_REQUEST),
        Box::new(TextAttribute::new(ATTR_USERNAME, user)),
    ];
    request.build(&setters).unwrap();
    request.add(ATTR_PRIORITY, &[0x6e, 0, 1, 0xff]);
    request.add(ATTR_ICE_CONTROLLING, &[1; 8]);
    let password = session.local().password().to_owned();
    MessageIntegrity::new_short_term_integrity(password).add_to(&mut request).unwrap();
    let mut buffer = [0; 2048];
    let answered = async {
        loop {
            socket.send_to(&request.raw, server).await.unwrap();
            let received = timeout(Duration::from_millis(200), socket.recv(&mut buffer)).await;
            if let Ok(Ok(length)) = received {
                let mut answer = Message::new();
                answer.raw = buffer[..length].to_vec();
                answer.decode().unwrap();
                assert_eq!(answer.typ, BINDING_SUCCESS);
                return assert_eq!(answer.transaction_id, request.transaction_id);
            }
        }
    };
    timeout(LIMIT, answered).await.unwrap();
}

async fn socket() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

/// Of many addresses the system gives some to another thread than the session's.
#[tokio::test]
async fn a_client_is_heard_wherever_its_packets_come() {
    let (server, address) = server(2);
    let session = session(&server, address, "user1").await;
    check(&socket().await, address, &session).await;
    let owner = session.owner();
    assert!(owner.is_some());
    let handed_over = async {
        // The counters are told once a second.
        while rtc(&server).counters().handed_over.load(Relaxed) == 0 {
            check(&socket().await, address, &session).await;
        }
    };
    timeout(LIMIT, handed_over).await.unwrap();
    assert_eq!(session.owner(), owner);
    server.shutdown().await;
}

#[tokio::test]
async fn a_worker_that_fails_begins_anew_on_the_same_socket() {
    let (server, address) = server(1);
    let client = socket().await;
    let first = session(&server, address, "user1").await;
    check(&client, address, &first).await;
    assert_eq!(first.owner(), Some(WorkerId(0)));
    for round in 2..5 {
        let before = session(&server, address, &format!("user{round}")).await;
        check(&socket().await, address, &before).await;
        let worker = server.workers().unwrap().colleagues[0].commands.clone();
        assert!(worker.send(Command::Fail).await.is_ok());
        let ended = async {
            while !before.is_over() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LIMIT, ended).await.unwrap();
        // Who comes again has the same port, from the same address too.
        let after = session(&server, address, &format!("again{round}")).await;
        check(&client, address, &after).await;
        assert_eq!(after.owner(), Some(WorkerId(0)));
    }
    assert!(first.is_over());
    assert_eq!(server.shared().clients.meter().clients(), 1);
    server.shutdown().await;
}
