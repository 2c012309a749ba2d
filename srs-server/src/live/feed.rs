//! What a viewer is given of a stream, whatever it speaks.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use stream_hub::{Batch, ReadEnd, Reader};
use tokio::time::Instant;

use super::{Client, ClientGuard};
use crate::{
    media::Wire,
    net::{Outlet, Residence},
};

/// Most bytes of one write.
const BATCH: usize = 256 * 1024;

/// A viewer's place in its stream, and what is to be noted of what it gets.
pub struct Feed<F: Send + Sync + 'static> {
    reader: Reader<Wire<F>>,
    residence: Arc<Residence>,
    outlet: Outlet,
    /// Whether the socket's send buffer was fitted to the stream.
    is_fitted: bool,
    /// Whether it has all there was when it came: from there on what it gets is new.
    is_live: bool,
    client: ClientGuard,
}

impl<F: Send + Sync + 'static> Feed<F> {
    /// What `reader` reads for a client; `residence` is of the thread that serves it.
    pub fn new(
        reader: Reader<Wire<F>>,
        client: ClientGuard,
        outlet: Outlet,
        residence: Arc<Residence>,
    ) -> Self {
        Self { reader, residence, outlet, is_fitted: false, is_live: false, client }
    }

    /// Who is given it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Goes on with another reader of the stream.
    pub fn replace(&mut self, reader: Reader<Wire<F>>) {
        self.reader = reader;
    }

    /// The messages to write next. The kernel's buffer for them is `send_buffer` at least.
    pub fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        send_buffer: usize,
    ) -> Poll<Result<Batch<Wire<F>>, ReadEnd>> {
        let Poll::Ready(batch) = self.reader.poll_batch(cx, BATCH) else {
            self.is_live = true;
            return Poll::Pending;
        };
        let batch = batch?;
        if !self.is_fitted {
            self.is_fitted = self.client.fit_send_buffer(send_buffer);
        }
        if let Some(lost) = batch.gap() {
            self.client.note_lost(lost.items, Instant::now().into_std());
        }
        Poll::Ready(Ok(batch))
    }

    /// Goes past a batch that is kept for later.
    pub fn pass(&mut self, batch: Batch<Wire<F>>) {
        self.reader.advance(batch.len());
    }

    /// Notes that so many messages of the last batch are written, or will be.
    pub fn advance(&mut self, batch: Batch<Wire<F>>, messages: usize) {
        if self.is_live {
            self.residence.record_oldest(self.outlet, &batch);
        }
        drop(batch);
        self.reader.advance(messages);
    }
}
