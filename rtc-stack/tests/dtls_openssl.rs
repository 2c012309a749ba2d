//! Handshakes with OpenSSL, both ways round, over sockets: with the certificates, datagrams and losses of the worst
//! of peers.
#![cfg(feature = "tokio")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use rtc_stack::dtls::{
    Association, Dtls, DtlsError, Established, Fingerprint, Handshake, HandshakeEvent, Reaction,
    Role,
};
use rtc_stack::srtp::{EXPORTER_LABEL, Profile};
use rtc_stack::transport::dtls::{Certificate, DtlsEndpoint, DtlsOptions};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UdpSocket;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Notify, OnceCell};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The smallest of what networks carry, less than what anybody fragments for.
const MTU: usize = 400;
/// Whoever takes longer hangs.
const LONGEST: Duration = Duration::from_secs(60);

const fn their_name(profile: Profile) -> &'static str {
    match profile {
        Profile::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
        Profile::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
        Profile::Aes128CmHmacSha1_80 => "SRTP_AES128_CM_SHA1_80",
    }
}

/// OpenSSL's certificate: RSA with 4,096 bits, and a subject of 2,600 bytes.
struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    fingerprint: Fingerprint,
}

/// Made once, for such a key takes seconds.
async fn identity() -> &'static Identity {
    static MADE: OnceCell<Identity> = OnceCell::const_new();
    MADE.get_or_init(|| async {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = |name: &str| directory.join(format!("openssl-{}-{name}", std::process::id()));
        let (certificate, key) = (path("certificate.pem"), path("key.pem"));
        let subject = format!("/OU={}", "u".repeat(60)).repeat(40);
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:4096", "-nodes", "-days", "2"])
            .args(["-subj", &subject, "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output();
        let made = made.await.expect("openssl is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let told = Command::new("openssl")
            .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
            .arg(&certificate)
            .output();
        let told = String::from_utf8(told.await.unwrap().stdout).unwrap();
        let digest = told.trim().split_once('=').unwrap().1;
        let fingerprint = format!("sha-256 {digest}").parse().unwrap();
        Identity { certificate, key, fingerprint }
    })
    .await
}

struct Signal(Notify);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// OpenSSL as one end.
struct Peer {
    child: Child,
    /// What ends it when it is closed.
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    async fn start(role: Role, port: u16, profile: Profile) -> Self {
        let identity = identity().await;
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new("openssl");
        match role {
            Role::Client => command.args(["s_client", "-connect", &address]),
            Role::Server => {
                command.args(["s_server", "-accept", &address, "-Verify", "1", "-naccept", "1"])
            }
        };
        // Without `-nbio` a duplicate of a record makes it wait inside a call for what never comes.
        let mut child = command
            .args(["-nbio", "-dtls1_2", "-mtu", &MTU.to_string(), "-use_srtp", their_name(profile)])
            .args(["-keymatexport", EXPORTER_LABEL, "-keymatexportlen"])
            .arg(profile.keying_material_len().to_string())
            .arg("-cert")
            .arg(&identity.certificate)
            .arg("-key")
            .arg(&identity.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("openssl is installed");
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { input: child.stdin.take(), output, child }
    }

    /// What it says behind this.
    async fn says(&mut self, what: &str) -> String {
        while let Some(line) = self.output.next_line().await.unwrap() {
            if let Some((_, rest)) = line.split_once(what) {
                return rest.trim().to_owned();
            }
        }
        panic!("openssl never said {what:?}");
    }
}

/// Our end: a socket and a handshake.
struct Ours {
    socket: UdpSocket,
    handshake: Box<dyn Handshake>,
    signal: Arc<Signal>,
    /// Where the peer is, once that is known.
    peer: Option<std::net::SocketAddr>,
}

impl Ours {
    async fn new(role: Role, known: Fingerprint) -> Self {
        let options = DtlsOptions { mtu: MTU, ..DtlsOptions::default() };
        let certificate = Certificate::generate().unwrap();
        let endpoint = DtlsEndpoint::new(certificate, options, tokio::runtime::Handle::current());
        let signal = Arc::new(Signal(Notify::new()));
        let handshake = endpoint.start(role, vec![known], Waker::from(Arc::clone(&signal)));
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        Self { socket, handshake: handshake.unwrap(), signal, peer: None }
    }

    async fn send(&mut self, datagram: &[u8]) {
        if let Some(peer) = self.peer {
            // Nobody may be there yet, of which the system tells.
            let _ = self.socket.send_to(datagram, peer).await;
        }
    }

    async fn receive(&mut self) -> Vec<u8> {
        let mut buffer = [0; 4000];
        loop {
            if let Ok((length, from)) = self.socket.recv_from(&mut buffer).await {
                self.peer = Some(from);
                return buffer[..length].to_vec();
            }
        }
    }

    /// Shakes hands over a link that lets through what it is told to, by the number of the datagram.
    async fn shake(
        &mut self,
        mut link: impl FnMut(usize, &[u8]) -> bool,
    ) -> Result<Established, DtlsError> {
        let mut number = 0;
        let mut passes = |datagram: &[u8]| {
            number += 1;
            link(number, datagram)
        };
        loop {
            while let Some(event) = self.handshake.poll() {
                match event {
                    HandshakeEvent::Transmit(datagram) => {
                        assert!(datagram.len() <= MTU, "{}", datagram.len());
                        if passes(&datagram) {
                            self.send(&datagram).await;
                        }
                    }
                    HandshakeEvent::Established(established) => return Ok(established),
                    HandshakeEvent::Failed(error) => return Err(error),
                }
            }
            let signal = Arc::clone(&self.signal);
            tokio::select! {
                () = signal.0.notified() => {}
                datagram = self.receive() => {
                    if passes(&datagram) {
                        self.handshake.receive(Bytes::from(datagram));
                    }
                }
            }
        }
    }

    /// Serves what is left of the handshake until something is over.
    async fn serve(&mut self, association: &mut dyn Association) -> Reaction {
        loop {
            let datagram = self.receive().await;
            match association.receive(&datagram) {
                Reaction::Retransmit(flight) => {
                    for datagram in flight {
                        self.send(&datagram).await;
                    }
                }
                Reaction::None => {}
                reaction => return reaction,
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// One handshake in which we have this role: both ends have the same keys, and hear each other's goodbye.
async fn agrees(role: Role, profile: Profile, link: impl FnMut(usize, &[u8]) -> bool) {
    let mut ours = Ours::new(role, identity().await.fingerprint.clone()).await;
    let mut peer = match role {
        Role::Server => {
            let port = ours.socket.local_addr().unwrap().port();
            Peer::start(Role::Client, port, profile).await
        }
        Role::Client => {
            let port = {
                let free = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                free.local_addr().unwrap().port()
            };
            ours.peer = Some(([127, 0, 0, 1], port).into());
            Peer::start(Role::Server, port, profile).await
        }
    };
    let established = ours.shake(link).await.unwrap();
    assert_eq!(established.srtp_profile, profile);
    assert_eq!(established.role, role);
    let mut association = established.association;
    // Its last flight, or ours, may have been lost.
    let keys = tokio::select! {
        keys = peer.says("Keying material:") => keys,
        over = ours.serve(&mut *association) => panic!("{over:?} before it had keys"),
    };
    assert_eq!(keys, hex(&established.keying_material.0));
    match role {
        Role::Server => {
            peer.input.as_mut().unwrap().write_all(b"Q\n").await.unwrap();
            assert_eq!(ours.serve(&mut *association).await, Reaction::Closed);
        }
        Role::Client => ours.send(&association.close()).await,
    }
    assert!(peer.child.wait().await.unwrap().success());
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    timeout(LONGEST, work).await.expect("the handshake hangs")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_profile_in_both_roles() {
    for role in [Role::Client, Role::Server] {
        for profile in Profile::ALL {
            in_time(agrees(role, profile, |_, _| true)).await;
        }
    }
}

/// Each of the first forty datagrams is lost once: there are thirty in one that loses none.
#[tokio::test(flavor = "multi_thread")]
async fn any_datagram_may_be_lost() {
    for role in [Role::Client, Role::Server] {
        let mut all = JoinSet::new();
        for lost in 1..=40 {
            let link = move |number, _: &[u8]| number != lost;
            all.spawn(async move { in_time(agrees(role, Profile::AeadAes128Gcm, link)).await });
        }
        all.join_all().await;
    }
}

/// A stranger is told so by an alert that OpenSSL understands.
#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_is_refused_with_an_alert() {
    let stranger = Certificate::generate().unwrap().fingerprint().clone();
    let mut ours = Ours::new(Role::Server, stranger).await;
    let port = ours.socket.local_addr().unwrap().port();
    let mut peer = Peer::start(Role::Client, port, Profile::AeadAes128Gcm).await;
    let error = in_time(ours.shake(|_, _| true)).await.unwrap_err();
    assert_eq!(error, DtlsError::Fingerprint);
    let status = in_time(peer.child.wait()).await.unwrap();
    assert_eq!(status.code(), Some(1));
}
