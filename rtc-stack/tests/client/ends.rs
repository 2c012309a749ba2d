//! How clients end, and that nothing is left of them.

use std::time::Duration;

use rtc_stack::client::{ClientError, EndReason, Event, Offering};
use rtc_stack::dtls::DtlsError;
use rtc_stack::sfu::Role;
use rtc_stack::{Codec, CodecParameters};
use tokio::runtime::Handle;

use super::server::{Server, client_options};

fn codecs() -> [CodecParameters; 2] {
    [Codec::Vp8, Codec::Opus].map(CodecParameters::new)
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// Waits, as long as the test may take, until as few tasks are there.
async fn only(count: usize) {
    while tasks() > count {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn closing_says_goodbye_and_leaves_no_task() {
    let server = Server::start();
    let before = tasks();
    for round in 1..=2 {
        let offering = Offering::play(&codecs(), client_options()).await.unwrap();
        let answer = server.answer(offering.sdp(), Role::Viewer, false);
        let mut player = offering.into_player(&answer).await.unwrap();
        assert!(matches!(player.next().await, Some(Event::Connected)));
        assert!(player.statistics().await.is_some());
        if round == 1 {
            player.close().await;
        } else {
            drop(player);
        }
        while server.goodbyes() < round {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    only(before).await;
}

#[tokio::test]
async fn an_offer_without_an_answer_leaves_no_task() {
    let before = tasks();
    let offering = Offering::publish(&codecs(), client_options()).await.unwrap();
    assert!(offering.sdp().contains("127.0.0.1") && tasks() > before);
    drop(offering);
    only(before).await;
}

#[tokio::test]
async fn a_peer_that_closes_is_the_end() {
    let server = Server::start();
    let offering = Offering::publish(&codecs(), client_options()).await.unwrap();
    let answer = server.answer(offering.sdp(), Role::Publisher, false);
    let mut publisher = offering.into_publisher(&answer).await.unwrap();
    // A wish for a keyframe may come before and behind.
    while !matches!(publisher.next().await.unwrap(), Event::Connected) {}
    server.close_peers();
    let reason = loop {
        if let Event::Ended { reason } = publisher.next().await.unwrap() {
            break reason;
        }
    };
    assert_eq!(reason, EndReason::ClosedByPeer);
    assert!(publisher.next().await.is_none());
    assert!(publisher.statistics().await.is_none());
    assert!(publisher.write(0, 0, true, &[1]).is_err());
    publisher.close().await;
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_given_up() {
    let server = Server::start();
    // The server's handshake waits on.
    let before = tasks() + 1;
    let mut options = client_options();
    options.connect_timeout = Duration::from_millis(300);
    let offering = Offering::play(&codecs(), options.clone()).await.unwrap();
    let answer = server.answer(offering.sdp(), Role::Viewer, false);
    let elsewhere = answer.replace("a=ice-pwd:", "a=ice-pwd:x");
    let mut player = offering.into_player(&elsewhere).await.unwrap();
    let limit = options.connect_timeout;
    let end = player.next().await;
    let is_end = |event: &Event| matches!(event, Event::Ended { reason } if *reason == EndReason::NotConnected { limit });
    assert!(end.as_ref().is_some_and(is_end), "{end:?}");
    only(before).await;
}

#[tokio::test]
async fn another_certificate_is_refused() {
    let server = Server::start();
    let offering = Offering::play(&codecs(), client_options()).await.unwrap();
    let answer = server.answer(offering.sdp(), Role::Viewer, false);
    let line = answer.lines().find(|line| line.starts_with("a=fingerprint")).unwrap();
    let (rest, last) = line.split_at(line.len() - 2);
    let other = if last == "00" { "01" } else { "00" };
    let forged = answer.replace(line, &format!("{rest}{other}"));
    let mut player = offering.into_player(&forged).await.unwrap();
    let end = player.next().await;
    let is_refused = |event: &Event| {
        matches!(event, Event::Ended { reason: EndReason::Handshake(DtlsError::Fingerprint) })
    };
    assert!(end.as_ref().is_some_and(is_refused), "{end:?}");
}

#[tokio::test]
async fn what_leads_nowhere_is_refused_at_once() {
    let server = Server::start();
    let two = [Codec::Vp8, Codec::H264].map(CodecParameters::new);
    let error = Offering::publish(&two, client_options()).await.unwrap_err();
    assert_eq!(error, ClientError::Track { number: 1, kind: "video" });
    let other = [CodecParameters::new(Codec::Rtx)];
    let error = Offering::publish(&other, client_options()).await.unwrap_err();
    assert_eq!(error, ClientError::Track { number: 0, kind: "unknown" });
    assert!(matches!(Offering::play(&[], client_options()).await, Err(ClientError::Sdp(_))));

    let offering = Offering::play(&codecs(), client_options()).await.unwrap();
    let answer = server.answer(offering.sdp(), Role::Viewer, false);
    assert_eq!(offering.into_publisher(&answer).await.unwrap_err(), ClientError::Direction);
    let offering = Offering::play(&codecs(), client_options()).await.unwrap();
    let answer = server.answer(offering.sdp(), Role::Viewer, false);
    let by_tcp = answer.replace(" udp ", " tcp ");
    assert_eq!(offering.into_player(&by_tcp).await.unwrap_err(), ClientError::NoCandidate);
    let offering = Offering::publish(&codecs(), client_options()).await.unwrap();
    let answer = server.answer(offering.sdp(), Role::Publisher, false);
    assert_eq!(offering.into_player(&answer).await.unwrap_err(), ClientError::Direction);
    let offering = Offering::play(&codecs(), client_options()).await.unwrap();
    assert!(matches!(offering.into_player("hello").await, Err(ClientError::Sdp(_))));
}
