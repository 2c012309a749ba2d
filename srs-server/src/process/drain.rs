//! An end that waits for the clients.

use std::time::Duration;

use srs_config::Config;
use tokio::{
    select,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use super::{
    reopen,
    signals::{Signal, Signals},
};
use crate::{log::Log, server::Server};

/// How long clients are waited for.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// Takes no clients any more and waits until those that are there have gone; a signal that ends
/// the server at once still does.
pub(super) async fn drain(server: &mut Server, signals: &mut Signals, log: &Log) {
    let config = server.shared().config();
    select! {
        () = leave(server, &config) => {}
        why = stop(signals, log) => info!("stops on {why}"),
    }
}

async fn leave(server: &mut Server, config: &Config) {
    // Load balancers learn that the server goes.
    sleep(config.grace_start_wait).await;
    server.stop_listening().await;
    let gone = timeout(LONGEST, async {
        while server.connections() > 0 {
            sleep(Duration::from_millis(100)).await;
        }
    });
    match gone.await {
        Ok(()) => info!("all clients are gone"),
        Err(_) => warn!("{} clients are still there and closed", server.connections()),
    }
    sleep(config.grace_final_wait).await;
}

/// Until a signal says that the server is to end at once.
async fn stop(signals: &mut Signals, log: &Log) -> &'static str {
    loop {
        match signals.next().await {
            Signal::Stop(why) => return why,
            Signal::ReopenLog => reopen(log),
            Signal::Drain(_) | Signal::Reload | Signal::Ignored(_) => {}
        }
    }
}
