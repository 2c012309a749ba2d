//! Both ends in memory, over a link that loses what a test says, in virtual time.

use std::task::Wake;

use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::record::{ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, fragments, records};
use super::*;
use crate::dtls::{Association, HashFunction, Reaction};

const CLIENT_HELLO: u8 = 1;
const CERTIFICATE: u8 = 11;

struct Signal(Notify);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// One end: a handshake, then what is left of it.
struct End {
    handshake: Box<dyn Handshake>,
    result: Option<Result<Established, DtlsError>>,
    sent: Vec<Bytes>,
}

impl End {
    fn receive(&mut self, datagram: &Bytes) -> Vec<Bytes> {
        match &mut self.result {
            Some(Ok(established)) => match established.association.receive(datagram) {
                Reaction::Retransmit(flight) => flight,
                _ => Vec::new(),
            },
            Some(Err(_)) => Vec::new(),
            None => {
                self.handshake.receive(datagram.clone());
                Vec::new()
            }
        }
    }

    fn poll(&mut self) -> Vec<Bytes> {
        let mut out = Vec::new();
        while let Some(event) = self.handshake.poll() {
            match event {
                HandshakeEvent::Transmit(datagram) => out.push(datagram),
                HandshakeEvent::Established(established) => self.result = Some(Ok(established)),
                HandshakeEvent::Failed(error) => self.result = Some(Err(error)),
            }
        }
        out
    }

    fn error(&self) -> &DtlsError {
        self.result.as_ref().unwrap().as_ref().unwrap_err()
    }

    fn established(&mut self) -> &mut Established {
        self.result.as_mut().unwrap().as_mut().unwrap()
    }

    /// Alerts that went out unprotected: level and description.
    fn alerts(&self) -> Vec<[u8; 2]> {
        let plain = |record: super::record::Record<'_>| {
            (record.kind == ALERT && record.epoch == 0).then(|| record.content.try_into().unwrap())
        };
        self.sent.iter().flat_map(|datagram| records(datagram).filter_map(plain)).collect()
    }
}

struct Pair {
    client: End,
    server: End,
    signal: Arc<Signal>,
}

fn endpoint(certificate: Certificate, options: &DtlsOptions) -> DtlsEndpoint {
    DtlsEndpoint::new(certificate, options.clone(), Handle::current())
}

impl Pair {
    fn of(client: Certificate, server: Certificate, options: &DtlsOptions) -> Self {
        let known = [client.fingerprint().clone(), server.fingerprint().clone()];
        Self::with(client, server, known, options)
    }

    /// With what the ends are told of each other: the client's fingerprint, then the server's.
    fn with(
        client: Certificate,
        server: Certificate,
        [of_client, of_server]: [Fingerprint; 2],
        options: &DtlsOptions,
    ) -> Self {
        let signal = Arc::new(Signal(Notify::new()));
        let start = |certificate, role, known| {
            let handshake = endpoint(certificate, options)
                .start(role, vec![known], Waker::from(Arc::clone(&signal)))
                .unwrap();
            End { handshake, result: None, sent: Vec::new() }
        };
        let client = start(client, Role::Client, of_server);
        let server = start(server, Role::Server, of_client);
        Self { client, server, signal }
    }

    fn new() -> Self {
        let certificate = || Certificate::generate().unwrap();
        Self::of(certificate(), certificate(), &DtlsOptions::default())
    }

    /// Delivers what `link` lets through, until both ends are done. Answers the time it took.
    async fn run(&mut self, mut link: impl FnMut(Role, &Bytes) -> Vec<Bytes>) -> Duration {
        let start = Instant::now();
        while self.client.result.is_none() || self.server.result.is_none() {
            let mut quiet = true;
            for from in [Role::Client, Role::Server] {
                let (sender, receiver) = match from {
                    Role::Client => (&mut self.client, &mut self.server),
                    Role::Server => (&mut self.server, &mut self.client),
                };
                for datagram in sender.poll() {
                    quiet = false;
                    sender.sent.push(datagram.clone());
                    for delivered in link(from, &datagram) {
                        for answer in receiver.receive(&delivered) {
                            receiver.sent.push(answer.clone());
                            for back in link(receiver_role(from), &answer) {
                                sender.receive(&back);
                            }
                        }
                    }
                }
            }
            let is_over = self.client.result.is_some() && self.server.result.is_some();
            if quiet && !is_over {
                self.signal.0.notified().await;
            }
        }
        start.elapsed()
    }

    fn assert_agreed(&mut self) {
        let (client, server) = (self.client.established(), self.server.established());
        assert_eq!(client.keying_material, server.keying_material);
        let gcm = Profile::AeadAes128Gcm;
        assert_eq!((client.srtp_profile, server.srtp_profile), (gcm, gcm));
        assert_eq!(client.keying_material.0.len(), 56);
        assert_eq!((client.role, server.role), (Role::Client, Role::Server));
        let goodbye = client.association.close();
        assert_eq!(server.association.receive(&goodbye), Reaction::Closed);
        let goodbye = server.association.close();
        assert_eq!(client.association.receive(&goodbye), Reaction::Closed);
    }
}

fn receiver_role(sender: Role) -> Role {
    match sender {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

fn whole(_: Role, datagram: &Bytes) -> Vec<Bytes> {
    vec![datagram.clone()]
}

/// The kinds of handshake messages, and 0 for a change of ciphers.
fn kinds(datagram: &Bytes) -> Vec<u8> {
    records(datagram)
        .flat_map(|record| match (record.kind, record.epoch) {
            (CHANGE_CIPHER_SPEC, _) => vec![0],
            (HANDSHAKE, 0) => fragments(record.content).flatten().map(|f| f.kind).collect(),
            _ => Vec::new(),
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn both_ends_agree() {
    let mut pair = Pair::new();
    pair.run(whole).await;
    pair.assert_agreed();
}

#[tokio::test(start_paused = true)]
async fn each_datagram_lost_once_delays_and_no_more() {
    let mut pair = Pair::new();
    let mut count = 0;
    pair.run(|from, datagram| {
        count += 1;
        whole(from, datagram)
    })
    .await;
    for lost in 0..count {
        let mut pair = Pair::new();
        let mut index = 0;
        let time = pair
            .run(|from, datagram| {
                index += 1;
                if index == lost + 1 { Vec::new() } else { whole(from, datagram) }
            })
            .await;
        pair.assert_agreed();
        assert!(time < Duration::from_secs(2), "datagram {lost}: {time:?}");
    }
}

/// What of a flight a datagram carries, whichever time it is sent.
fn place(datagram: &Bytes) -> String {
    let of_record = |record: super::record::Record<'_>| {
        let is_plain = (record.kind, record.epoch) == (HANDSHAKE, 0);
        let first = is_plain.then(|| fragments(record.content).flatten().next()).flatten();
        let first = first.map(|first| (first.message, first.offset));
        format!("{} {} {first:?};", record.kind, record.epoch)
    };
    records(datagram).map(of_record).collect()
}

#[tokio::test(start_paused = true)]
async fn every_flight_lost_once_delays_and_no_more() {
    for mtu in [400, 1200] {
        let certificate = || Certificate::generate().unwrap();
        let options = DtlsOptions { mtu, ..DtlsOptions::default() };
        let mut pair = Pair::of(certificate(), certificate(), &options);
        let mut seen = std::collections::HashSet::new();
        let mut lost = [0, 0];
        let time = pair
            .run(|from, datagram| {
                if !seen.insert((from == Role::Client, place(datagram))) {
                    return whole(from, datagram);
                }
                lost[usize::from(from == Role::Client)] += 1;
                Vec::new()
            })
            .await;
        pair.assert_agreed();
        // The client has three flights, and the server has three.
        assert!(lost[0] >= 3 && lost[1] >= 3, "{lost:?}");
        assert!(time < Duration::from_secs(2), "{time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn four_hellos_and_five_certificate_flights_may_be_lost() {
    for role in [Role::Client, Role::Server] {
        let mut pair = Pair::new();
        let (mut hellos, mut flights) = (0, 0);
        let time = pair
            .run(|from, datagram| {
                let kinds = kinds(datagram);
                if from == Role::Client && kinds.contains(&CLIENT_HELLO) && hellos < 4 {
                    hellos += 1;
                    return Vec::new();
                }
                if from == role && kinds.contains(&CERTIFICATE) && flights < 5 {
                    flights += 1;
                    return Vec::new();
                }
                whole(from, datagram)
            })
            .await;
        assert_eq!((hellos, flights), (4, 5));
        pair.assert_agreed();
        assert!(time < Duration::from_secs(5), "{role:?}: {time:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_flight_is_repeated_until_it_arrives() {
    let mut pair = Pair::new();
    let mut lost = 0;
    pair.run(|from, datagram| {
        if from == Role::Server && kinds(datagram).contains(&0) && lost < 4 {
            lost += 1;
            return Vec::new();
        }
        whole(from, datagram)
    })
    .await;
    assert_eq!(lost, 4);
    pair.assert_agreed();
}

#[tokio::test(start_paused = true)]
async fn duplicates_and_reordering_are_taken() {
    let mut pair = Pair::new();
    let mut held: Option<Bytes> = None;
    let mut rng = fastrand::Rng::with_seed(9);
    pair.run(|_, datagram| {
        let mut out = vec![datagram.clone(), datagram.clone()];
        out.extend(held.take());
        if rng.bool() {
            out.swap(0, 1);
            held = out.pop();
        }
        out
    })
    .await;
    pair.assert_agreed();
}

#[tokio::test(start_paused = true)]
async fn small_datagrams_carry_long_certificates() {
    let certificate = || {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, "o".repeat(3000));
        let certificate = params.self_signed(&key).unwrap();
        Certificate::from_der(certificate.der(), &key.serialize_der()).unwrap()
    };
    for mtu in [400, 1200] {
        let options = DtlsOptions { mtu, ..DtlsOptions::default() };
        let mut pair = Pair::of(certificate(), certificate(), &options);
        let mut rng = fastrand::Rng::with_seed(1);
        pair.run(|from, datagram| {
            assert!(datagram.len() <= mtu, "{}", datagram.len());
            if rng.u8(..20) == 0 { Vec::new() } else { whole(from, datagram) }
        })
        .await;
        pair.assert_agreed();
    }
}

#[tokio::test(start_paused = true)]
async fn another_certificate_is_refused_with_an_alert() {
    let certificate = || Certificate::generate().unwrap();
    let stranger = certificate().fingerprint().clone();
    for role in [Role::Client, Role::Server] {
        let (client, server) = (certificate(), certificate());
        let mut known = [client.fingerprint().clone(), server.fingerprint().clone()];
        // The end of this role is told of a stranger.
        known[usize::from(role == Role::Client)] = stranger.clone();
        let mut pair = Pair::with(client, server, known, &DtlsOptions::default());
        pair.run(whole).await;
        let (refuser, refused) = match role {
            Role::Client => (&pair.client, &pair.server),
            Role::Server => (&pair.server, &pair.client),
        };
        assert_eq!(refuser.error(), &DtlsError::Fingerprint);
        assert_eq!(refuser.alerts(), [[2, BAD_CERTIFICATE]]);
        assert!(matches!(refused.error(), DtlsError::Failed { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn any_of_the_fingerprints_will_do() {
    let functions =
        [HashFunction::Sha1, HashFunction::Sha256, HashFunction::Sha384, HashFunction::Sha512];
    for function in functions {
        let (client, server) = (Certificate::generate().unwrap(), Certificate::generate().unwrap());
        let of = |certificate: &Certificate| {
            Fingerprint::of(function, &certificate.inner.certificate[0])
        };
        let known = [of(&client), of(&server)];
        let mut pair = Pair::with(client, server, known, &DtlsOptions::default());
        pair.run(whole).await;
        pair.assert_agreed();
    }
}

#[tokio::test(start_paused = true)]
async fn a_corrupt_message_is_answered_by_an_alert() {
    let mut pair = Pair::new();
    pair.run(|from, datagram| {
        let mut copy = datagram.to_vec();
        if from == Role::Client && kinds(datagram).contains(&CLIENT_HELLO) {
            // The length of the session id.
            copy[13 + 12 + 34] = 200;
        }
        vec![copy.into()]
    })
    .await;
    assert!(matches!(pair.server.error(), DtlsError::Failed { .. }));
    assert_eq!(pair.server.alerts(), [[2, DECODE_ERROR]]);
}

#[tokio::test(start_paused = true)]
async fn a_corrupt_signature_is_answered_by_an_alert() {
    let mut pair = Pair::new();
    pair.run(|from, datagram| {
        let mut copy = datagram.to_vec();
        let mut place = 0;
        for record in records(datagram) {
            let is_verify = record.epoch == 0 && record.content.first() == Some(&15);
            place += record.whole.len();
            if from == Role::Client && is_verify {
                copy[place - 1] ^= 1;
            }
        }
        vec![copy.into()]
    })
    .await;
    assert!(matches!(pair.server.error(), DtlsError::Failed { .. }));
    let alerts = pair.server.alerts();
    assert!(alerts.iter().all(|alert| alert[0] == 2) && !alerts.is_empty(), "{alerts:?}");
}

/// A whole hello in a record: with what stands behind the random bytes, cookie or session id first.
fn hello_record(number: u8, rest: &[u8]) -> Bytes {
    let body = [&[0xfe, 0xfd][..], &[5; 32], rest].concat();
    let length = body.len() as u8;
    let head = [CLIENT_HELLO, 0, 0, length, 0, number, 0, 0, 0, 0, 0, length];
    let record = [HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, number, 0, length + 12];
    [&record[..], &head, &body].concat().into()
}

/// The implementation doesn't skip the session id, reads its bytes for what follows it, and so finds one byte of an
/// extension where it looks for four.
const SESSION_ID: [u8; 14] = [8, 0, 0, 0, 1, 0, 0, 1, 9, 0, 0, 0, 0, 0];

#[tokio::test(start_paused = true)]
async fn a_hello_that_the_implementation_reads_beyond_is_refused() {
    let mut pair = Pair::new();
    let mut hello = Some(hello_record(0, &SESSION_ID));
    pair.run(|from, datagram| match from {
        Role::Client => hello.take().into_iter().chain([datagram.clone()]).collect(),
        Role::Server => vec![datagram.clone()],
    })
    .await;
    let malformed = DtlsError::Failed { reason: "malformed message".to_owned() };
    assert_eq!(pair.server.error(), &malformed);
    assert_eq!(pair.server.alerts(), [[2, DECODE_ERROR]]);
}

/// What reads the peer's bytes is a task of the implementation's: its panic must not be waited for.
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_implementation_ends_its_handshake_only() {
    let certificate = Certificate::generate().unwrap();
    let (datagrams, inbox) = mpsc::channel(INBOX);
    let outbox = Arc::new(Outbox::new(Waker::noop().clone()));
    let mut link = Link::new(Role::Server, inbox, Arc::clone(&outbox));
    link.smuggle(hello_record(0, &SESSION_ID));
    let permits = Arc::new(Semaphore::new(1));
    let attempt = Attempt {
        role: Role::Server,
        fingerprints: [certificate.fingerprint().clone()].into(),
        certificate,
        mtu: 1200,
        permits: Arc::clone(&permits),
        link: Arc::new(link),
    };
    // The server waits for a hello that it can read before it has its implementation read any.
    let use_srtp = [0, 0, 0, 2, 0xc0, 0x2b, 1, 0, 0, 9, 0, 14, 0, 5, 0, 2, 0, 7, 0];
    datagrams.send(hello_record(0, &use_srtp)).await.unwrap();
    let panics = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&panics);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(|place| place.file().to_owned()).unwrap_or_default();
        if place.ends_with("handshake_message_client_hello.rs") {
            count.fetch_add(1, Ordering::Relaxed);
        } else {
            before(panic);
        }
    }));
    let start = Instant::now();
    let end = super::End { outbox: Arc::clone(&outbox), event: None };
    tokio::spawn(attempt.run(Duration::from_secs(30), end)).await.unwrap();
    assert_eq!(panics.load(Ordering::Relaxed), 1);
    let events: Vec<_> = std::iter::from_fn(|| outbox.pop()).collect();
    assert!(
        matches!(events.last(), Some(HandshakeEvent::Failed(DtlsError::Failed { .. }))),
        "{events:?}"
    );
    // At once, and with room for the next.
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(permits.available_permits(), 1);
    let mut pair = Pair::new();
    pair.run(whole).await;
    pair.assert_agreed();
}

/// A panic in the task of the handshake itself comes to the shard as any other end.
#[tokio::test(start_paused = true)]
async fn a_panic_of_the_task_is_told_as_a_failed_handshake() {
    let outbox = Arc::new(Outbox::new(Waker::noop().clone()));
    let end = super::End { outbox: Arc::clone(&outbox), event: None };
    let task = tokio::spawn(async move {
        let _end = end;
        // A panic without a word on the terminal.
        std::panic::resume_unwind(Box::new(()));
    });
    assert!(task.await.unwrap_err().is_panic());
    let stopped = DtlsError::Failed { reason: "the handshake stopped".to_owned() };
    assert!(matches!(outbox.pop(), Some(HandshakeEvent::Failed(error)) if error == stopped));
    assert!(outbox.pop().is_none());
}

#[tokio::test(start_paused = true)]
async fn alerts_many_times_over_end_the_handshake_once() {
    let mut pair = Pair::new();
    let alert = Bytes::copy_from_slice(&super::record::plain_alert(900, HANDSHAKE_FAILURE));
    let time = pair
        .run(|from, datagram| {
            let mut out = whole(from, datagram);
            if from == Role::Client && kinds(datagram).contains(&CERTIFICATE) {
                out.splice(0..0, (0..50).map(|_| alert.clone()));
            }
            out
        })
        .await;
    assert!(matches!(pair.server.error(), DtlsError::Failed { .. }));
    assert!(pair.server.alerts().len() <= 2);
    assert!(time < Duration::from_secs(31));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_falls_silent_is_given_up() {
    let mut pair = Pair::new();
    let mut sent = 0;
    let time = pair
        .run(|from, _| {
            sent += usize::from(from == Role::Client);
            Vec::new()
        })
        .await;
    for end in [&pair.client, &pair.server] {
        assert_eq!(end.error(), &DtlsError::Timeout { limit_s: 30 });
        assert_eq!(end.alerts(), [[2, HANDSHAKE_FAILURE]]);
    }
    assert!(time < Duration::from_secs(31));
    assert!((10..60).contains(&sent), "{sent}");
}

#[tokio::test(start_paused = true)]
async fn noise_is_nothing_worse_than_noise() {
    for seed in 0..20 {
        let mut pair = Pair::new();
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut noise = 0;
        pair.run(|from, datagram| {
            let mut out = whole(from, datagram);
            if noise < 1000 {
                noise += 10;
                out.splice(
                    0..0,
                    (0..10).map(|_| {
                        let mut bytes = vec![0; rng.usize(..200)];
                        rng.fill(&mut bytes);
                        Bytes::from(bytes)
                    }),
                );
            }
            out
        })
        .await;
        pair.assert_agreed();
    }
}

#[tokio::test(start_paused = true)]
async fn mutations_end_in_keys_or_errors() {
    for seed in 0..60 {
        let mut pair = Pair::new();
        let mut rng = fastrand::Rng::with_seed(seed);
        pair.run(|_, datagram| {
            let mut copy = datagram.to_vec();
            if rng.u8(..3) == 0 {
                for _ in 0..=rng.usize(..4) {
                    let place = rng.usize(..copy.len());
                    copy[place] = rng.u8(..);
                }
            }
            vec![copy.into()]
        })
        .await;
        assert!(pair.client.result.is_some() && pair.server.result.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_handshakes_have_their_turn() {
    let options = DtlsOptions { parallel: 1, ..DtlsOptions::default() };
    let certificate = Certificate::generate().unwrap();
    let known = vec![certificate.fingerprint().clone()];
    let one = endpoint(certificate, &options);
    let signal = Arc::new(Signal(Notify::new()));
    let start = |role| one.start(role, known.clone(), Waker::from(Arc::clone(&signal))).unwrap();
    let mut first = start(Role::Client);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let mut second = start(Role::Client);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(matches!(first.poll(), Some(HandshakeEvent::Transmit(_))));
    assert!(second.poll().is_none());
    drop(first);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(matches!(second.poll(), Some(HandshakeEvent::Transmit(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn an_association_takes_any_bytes(data in prop::collection::vec(any::<u8>(), 0..200)) {
        let secrets =
            Secrets { master: &[1; 48], client_random: &[2; 32], server_random: &[3; 32] };
        let mut finished = Finished::new(Role::Server, &secrets, Default::default()).unwrap();
        prop_assert_eq!(finished.receive(&data), Reaction::None);
    }
}
