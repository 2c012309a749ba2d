//! The way to the peer: crate `webrtc-ice`, of which nothing shows outside of this module.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use webrtc_ice::agent::Agent;
use webrtc_ice::agent::agent_config::AgentConfig;
use webrtc_ice::candidate::candidate_base::unmarshal_candidate;
use webrtc_ice::candidate::{Candidate as AgentCandidate, CandidateType};
use webrtc_ice::mdns::MulticastDnsMode;
use webrtc_ice::network_type::NetworkType;
use webrtc_ice::state::ConnectionState;
use webrtc_util::Conn;

use super::ClientError;
use crate::sdp::{Candidate, CandidateProtocol};
use crate::stun::Credentials;

/// How long the interfaces may take to be looked at.
const GATHERING: Duration = Duration::from_secs(5);
/// After this silence the agent looks for another pair of addresses, as RFC 7675 has it.
const DISCONNECTED: Duration = Duration::from_secs(5);

/// An agent that asks the peer, and the path that it finds.
pub(super) struct Path {
    agent: Arc<Agent>,
    /// Whether the agent has given up.
    lost: watch::Receiver<bool>,
    runtime: Handle,
}

impl Path {
    /// Makes an agent and lets it collect the addresses of this machine.
    pub(super) async fn gather(
        ice: &Credentials,
        with_loopback: bool,
        silence: Duration,
    ) -> Result<(Self, Vec<Candidate>), ClientError> {
        let config = AgentConfig {
            local_ufrag: ice.ufrag().to_owned(),
            local_pwd: ice.password().to_owned(),
            multicast_dns_mode: MulticastDnsMode::Disabled,
            network_types: vec![NetworkType::Udp4, NetworkType::Udp6],
            candidate_types: vec![CandidateType::Host],
            is_controlling: true,
            include_loopback: with_loopback,
            check_interval: Duration::from_millis(50),
            disconnected_timeout: Some(DISCONNECTED),
            failed_timeout: Some(silence.saturating_sub(DISCONNECTED).max(Duration::from_secs(1))),
            ..AgentConfig::default()
        };
        let agent = Arc::new(Agent::new(config).await.map_err(failed)?);
        let (is_lost, lost) = watch::channel(false);
        let path = Self { agent, lost, runtime: Handle::current() };
        path.agent.on_connection_state_change(Box::new(move |state| {
            if state == ConnectionState::Failed {
                is_lost.send_replace(true);
            }
            Box::pin(async {})
        }));
        let candidates = path.collect().await?;
        Ok((path, candidates))
    }

    async fn collect(&self) -> Result<Vec<Candidate>, ClientError> {
        let (done, mut is_done) = mpsc::channel(1);
        self.agent.on_candidate(Box::new(move |candidate| {
            if candidate.is_none() {
                // One message is enough; a second finds it there.
                let _ = done.try_send(());
            }
            Box::pin(async {})
        }));
        self.agent.gather_candidates().map_err(failed)?;
        // What has not been found by then is left out.
        let _ = tokio::time::timeout(GATHERING, is_done.recv()).await;
        let found = self.agent.get_local_candidates().await.map_err(failed)?;
        Ok(found.iter().filter_map(|found| Candidate::parse(&found.marshal())).collect())
    }

    /// Tells the agent of the peer's addresses; names are looked up. How many there were.
    pub(super) async fn add(&self, candidates: &[Candidate]) -> usize {
        let mut count: usize = 0;
        for candidate in candidates {
            // The agent has no TCP, and a bundle has no second component.
            if candidate.protocol != CandidateProtocol::Udp || candidate.component != 1 {
                continue;
            }
            for address in addresses(candidate).await {
                let mut known = candidate.clone();
                known.host = address.ip().to_string();
                let Ok(known) = unmarshal_candidate(&known.to_string()) else { continue };
                let known: Arc<dyn AgentCandidate + Send + Sync> = Arc::new(known);
                if self.agent.add_remote_candidate(&known).is_ok() {
                    count = count.saturating_add(1);
                }
            }
        }
        count
    }

    /// Finds a way, which takes as long as there is none.
    pub(super) async fn connect(
        &self,
        remote: &Credentials,
    ) -> Result<Arc<dyn Conn + Send + Sync>, ClientError> {
        // Dropping the future is what ends it early.
        let (_cancel, cancelled) = mpsc::channel(1);
        let (ufrag, password) = (remote.ufrag().to_owned(), remote.password().to_owned());
        Ok(self.agent.dial(cancelled, ufrag, password).await.map_err(failed)?)
    }

    /// Waits until the peer is heard no longer.
    pub(super) async fn lost(&self) {
        // The sender lives as long as the agent does.
        let _ = self.lost.clone().wait_for(|is_lost| *is_lost).await;
    }

    /// Ends the agent's tasks.
    pub(super) async fn close(&self) {
        // It fails only when it was closed before.
        let _ = self.agent.close().await;
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        // The agent's tasks keep it alive, so that it must be closed, which only a task can wait for.
        let agent = Arc::clone(&self.agent);
        self.runtime.spawn(async move { agent.close().await });
    }
}

async fn addresses(candidate: &Candidate) -> Vec<SocketAddr> {
    if let Some(address) = candidate.address() {
        return vec![address];
    }
    // Names in `.local` hide the addresses of browsers, which answer no offer of ours.
    if candidate.host.ends_with(".local") {
        return Vec::new();
    }
    let found = tokio::net::lookup_host((candidate.host.as_str(), candidate.port)).await;
    found.map(Iterator::collect).unwrap_or_default()
}

fn failed(error: impl std::fmt::Display) -> ClientError {
    ClientError::Ice { reason: error.to_string() }
}
