//! Handshakes by crate `dtls`, each a task of a runtime that the media threads have no part in.

mod assembly;
mod association;
mod certificate;
mod guard;
mod hello;
mod link;
mod messages;
mod record;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use webrtc_dtls::cipher_suite::CipherSuiteId;
use webrtc_dtls::config::{ClientAuthType, Config, ExtendedMasterSecretType};
use webrtc_dtls::conn::DTLSConn;
use webrtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use webrtc_util::KeyingMaterialExporter;

use self::association::{Finished, Secrets};
pub use self::certificate::{Certificate, CertificateError};
use self::guard::FIRST_GAP;
use self::link::{Link, Outbox};
use crate::dtls::{
    Dtls, DtlsError, Established, Fingerprint, Handshake, HandshakeEvent, KeyingMaterial, Role,
};
use crate::srtp::Profile;

/// Datagrams of a peer that wait for its handshake.
const INBOX: usize = 64;
/// Headers that the implementation leaves out when it cuts a message: the record's and the fragment's.
const FRAGMENT_OVERHEAD: usize = 13 + 12;
/// The label of the keys that SRTP takes (RFC 5764, 4.2).
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

const HANDSHAKE_FAILURE: u8 = 40;
const BAD_CERTIFICATE: u8 = 42;
const DECODE_ERROR: u8 = 50;
const INSUFFICIENT_SECURITY: u8 = 71;

/// The name that the implementation has for a profile.
const fn their_name(profile: Profile) -> SrtpProtectionProfile {
    match profile {
        Profile::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        Profile::AeadAes256Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
        Profile::Aes128CmHmacSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
    }
}

/// How handshakes are done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DtlsOptions {
    /// Bytes of the longest datagram sent, 100 to 8,000. Default 1,200.
    pub mtu: usize,
    /// How long a handshake may take, waiting included. Default 30 s.
    pub timeout: Duration,
    /// Handshakes that run at the same time; more wait. Each takes about 30 KiB and up to the timeout when
    /// its peer falls silent. Default 1,024.
    pub parallel: usize,
}

impl Default for DtlsOptions {
    fn default() -> Self {
        Self { mtu: 1200, timeout: Duration::from_secs(30), parallel: 1024 }
    }
}

/// Handshakes of crate `dtls` (DTLS 1.2).
#[derive(Debug)]
pub struct DtlsEndpoint {
    certificate: Certificate,
    options: DtlsOptions,
    runtime: Handle,
    permits: Arc<Semaphore>,
}

impl DtlsEndpoint {
    /// An endpoint whose handshakes run on this runtime.
    pub fn new(certificate: Certificate, options: DtlsOptions, runtime: Handle) -> Self {
        let parallel = options.parallel.clamp(1, Semaphore::MAX_PERMITS);
        Self { certificate, options, runtime, permits: Arc::new(Semaphore::new(parallel)) }
    }
}

impl Dtls for DtlsEndpoint {
    fn fingerprint(&self) -> &Fingerprint {
        self.certificate.fingerprint()
    }

    fn start(
        &self,
        role: Role,
        fingerprints: Vec<Fingerprint>,
        waker: Waker,
    ) -> Result<Box<dyn Handshake>, DtlsError> {
        let (datagrams, inbox) = mpsc::channel(INBOX);
        let outbox = Arc::new(Outbox::new(waker));
        let attempt = Attempt {
            role,
            fingerprints: fingerprints.into(),
            certificate: self.certificate.clone(),
            mtu: self.options.mtu.clamp(100, 8000).saturating_sub(FRAGMENT_OVERHEAD),
            permits: Arc::clone(&self.permits),
            link: Arc::new(Link::new(role, inbox, Arc::clone(&outbox))),
        };
        let timeout = self.options.timeout;
        let end = End { outbox: Arc::clone(&outbox), event: None };
        let task = self.runtime.spawn(attempt.run(timeout, end)).abort_handle();
        Ok(Box::new(Running { datagrams, outbox, task }))
    }
}

/// A handshake as its shard has it.
struct Running {
    datagrams: mpsc::Sender<Bytes>,
    outbox: Arc<Outbox>,
    task: AbortHandle,
}

impl Handshake for Running {
    fn receive(&mut self, datagram: Bytes) {
        // A full inbox is a loss like any other: the peer repeats its flight.
        let _ = self.datagrams.try_send(datagram);
    }

    fn poll(&mut self) -> Option<HandshakeEvent> {
        self.outbox.pop()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Gives the last event, also where the implementation panics.
struct End {
    outbox: Arc<Outbox>,
    event: Option<HandshakeEvent>,
}

impl Drop for End {
    fn drop(&mut self) {
        let failed = || {
            HandshakeEvent::Failed(DtlsError::Failed { reason: "the handshake stopped".to_owned() })
        };
        self.outbox.push(self.event.take().unwrap_or_else(failed));
    }
}

/// A handshake as its task has it.
struct Attempt {
    role: Role,
    fingerprints: Arc<[Fingerprint]>,
    certificate: Certificate,
    mtu: usize,
    permits: Arc<Semaphore>,
    link: Arc<Link>,
}

impl Attempt {
    async fn run(self, timeout: Duration, mut end: End) {
        let result = tokio::time::timeout(timeout, self.shake()).await;
        let error = match result {
            Ok(Ok(established)) => {
                end.event = Some(HandshakeEvent::Established(established));
                return;
            }
            Ok(Err(error)) => error,
            Err(_) => DtlsError::Timeout { limit_s: timeout.as_secs() },
        };
        self.link.break_off(match error {
            DtlsError::Fingerprint => BAD_CERTIFICATE,
            DtlsError::SrtpProfile => INSUFFICIENT_SECURITY,
            DtlsError::Failed { .. } => DECODE_ERROR,
            _ => HANDSHAKE_FAILURE,
        });
        end.event = Some(HandshakeEvent::Failed(error));
    }

    async fn shake(&self) -> Result<Established, DtlsError> {
        let profiles = self.profiles().await?;
        // A peer that never says hello holds no permit.
        let _permit = self.permits.acquire().await.map_err(failed)?;
        let is_other = Arc::new(AtomicBool::new(false));
        let config = self.config(profiles, Arc::clone(&is_other));
        let link = Arc::clone(&self.link) as Arc<dyn webrtc_util::Conn + Send + Sync>;
        let shaken = tokio::select! {
            shaken = DTLSConn::new(link, config, self.role == Role::Client, None) => shaken,
            error = self.link.refusal() => return Err(error),
        };
        match shaken {
            Ok(connection) => self.finish(&connection).await,
            Err(_) if is_other.load(Ordering::Relaxed) => Err(DtlsError::Fingerprint),
            Err(error) => Err(failed(error)),
        }
    }

    /// What to offer a server, or the one to answer a client with: the implementation would take the
    /// client's first, which is the dearest of most browsers.
    async fn profiles(&self) -> Result<Vec<SrtpProtectionProfile>, DtlsError> {
        if self.role == Role::Client {
            return Ok(Profile::ALL.into_iter().map(their_name).collect());
        }
        let offered = self.link.hello().await?;
        let best = Profile::ALL.into_iter().find(|profile| offered.contains(&profile.id()));
        Ok(vec![their_name(best.ok_or(DtlsError::SrtpProfile)?)])
    }

    fn config(&self, profiles: Vec<SrtpProtectionProfile>, is_other: Arc<AtomicBool>) -> Config {
        // The one cipher whose keys we can use afterwards, which every peer has (RFC 8827, 6.5). A server
        // offers what its own certificate signs; a client meets RSA certificates too.
        let mut cipher_suites = vec![CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256];
        if self.role == Role::Client {
            cipher_suites.push(CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_128_Gcm_Sha256);
        }
        let fingerprints = Arc::clone(&self.fingerprints);
        Config {
            certificates: vec![self.certificate.inner.clone()],
            cipher_suites,
            srtp_protection_profiles: profiles,
            client_auth: ClientAuthType::RequireAnyClientCert,
            extended_master_secret: ExtendedMasterSecretType::Request,
            flight_interval: FIRST_GAP,
            // Nobody signs these certificates: their fingerprints came by a trusted way.
            insecure_skip_verify: true,
            verify_peer_certificate: Some(Arc::new(move |chain, _| {
                if is_known(&fingerprints, chain) {
                    return Ok(());
                }
                is_other.store(true, Ordering::Relaxed);
                Err(webrtc_dtls::Error::Other("unknown fingerprint".to_owned()))
            })),
            mtu: self.mtu,
            server_name: "localhost".to_owned(),
            ..Config::default()
        }
    }

    async fn finish(&self, connection: &DTLSConn) -> Result<Established, DtlsError> {
        let state = connection.connection_state().await;
        if !is_known(&self.fingerprints, &state.peer_certificates) {
            return Err(DtlsError::Fingerprint);
        }
        let selected = connection.selected_srtpprotection_profile();
        let srtp_profile = Profile::ALL
            .into_iter()
            .find(|profile| their_name(*profile) == selected)
            .ok_or(DtlsError::SrtpProfile)?;
        let length = srtp_profile.keying_material_len();
        let exported = state.export_keying_material(EXPORTER_LABEL, &[], length);
        let keying_material = KeyingMaterial(exported.await.map_err(failed)?);
        let log = state.key_log_data().map_err(failed)?;
        let (client_random, server_random) = match self.role {
            Role::Client => (&log.local_random, &log.remote_random),
            Role::Server => (&log.remote_random, &log.local_random),
        };
        let secrets = Secrets { master: &log.master_secret, client_random, server_random };
        let association = Finished::new(self.role, &secrets, self.link.sent())
            .ok_or_else(|| failed("no keys"))?;
        Ok(Established {
            srtp_profile,
            keying_material,
            role: self.role,
            association: Box::new(association),
        })
    }
}

fn is_known(fingerprints: &[Fingerprint], chain: &[Vec<u8>]) -> bool {
    // The first certificate is the peer's own (RFC 5246, 7.4.2), whose key it has proven to hold.
    chain.first().is_some_and(|own| fingerprints.iter().any(|known| known.matches(own)))
}

fn failed(error: impl std::fmt::Display) -> DtlsError {
    DtlsError::Failed { reason: error.to_string() }
}

#[cfg(test)]
mod tests;
