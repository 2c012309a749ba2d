//! The HTTP of WHIP and WHEP, as far as the examples need it: an offer comes in, an answer goes out.
//! `DELETE`, `PATCH` and limits on connections are what a server adds.

use std::{error::Error, net::SocketAddr};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

/// Bytes of the longest offer.
const MAX_OFFER: usize = 64 * 1024;

/// What the examples' functions fail with.
pub(crate) type AnyError = Box<dyn Error + Send + Sync>;

/// An offer that waits for its answer.
pub(crate) struct Offer {
    /// `whip` or `whep`, unless the client is wrong.
    #[allow(dead_code, reason = "an example of one kind doesn't ask")]
    pub(crate) kind: String,
    /// The stream.
    #[allow(dead_code, reason = "an example of one stream doesn't ask")]
    pub(crate) name: String,
    /// The offer.
    pub(crate) sdp: String,
    answer: oneshot::Sender<Result<String, String>>,
}

impl Offer {
    /// Answers it. A client that has gone misses its answer.
    pub(crate) fn answer(self, answer: Result<String, AnyError>) {
        let _ = self.answer.send(answer.map_err(|error| error.to_string()));
    }
}

/// Takes offers at `/{kind}/{name}` of an address.
pub(crate) async fn listen(address: &str) -> Result<(SocketAddr, mpsc::Receiver<Offer>), AnyError> {
    let listener = TcpListener::bind(address).await.map_err(|e| format!("{address}: {e}"))?;
    let address = listener.local_addr()?;
    let (offers, taken) = mpsc::channel(64);
    let router = Router::new()
        .route("/{kind}/{name}", post(take))
        .layer(DefaultBodyLimit::max(MAX_OFFER))
        .with_state(offers);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((address, taken))
}

async fn take(
    State(offers): State<mpsc::Sender<Offer>>,
    Path((kind, name)): Path<(String, String)>,
    sdp: String,
) -> Response {
    let location = format!("/{kind}/{name}");
    let (answer, answered) = oneshot::channel();
    if offers.send(Offer { kind, name, sdp, answer }).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let anyone = (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    match answered.await {
        Ok(Ok(sdp)) => {
            let head = [
                (header::LOCATION, location.as_str()),
                (header::CONTENT_TYPE, "application/sdp"),
                anyone,
            ];
            (StatusCode::CREATED, head, sdp).into_response()
        }
        Ok(Err(error)) => (StatusCode::BAD_REQUEST, [anyone], error).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
