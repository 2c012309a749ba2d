//! Configuration in force: the last item of each slot, in the order they came.

use std::sync::Arc;

use crate::{Item, Slot};

/// One configuration item and where it stood in the lane.
#[derive(Clone)]
pub(crate) struct Config<T> {
    pub(crate) seq: u64,
    pub(crate) slot: Slot,
    pub(crate) item: T,
}

/// The configuration at one point of a lane, sorted by sequence number; shared while unchanged.
pub(crate) type Configs<T> = Arc<[Config<T>]>;

/// `configs` with `item` in place of what its slot held.
pub(crate) fn with<T: Item>(configs: &Configs<T>, seq: u64, slot: Slot, item: &T) -> Configs<T> {
    configs
        .iter()
        .filter(|config| config.slot != slot)
        .cloned()
        .chain(std::iter::once(Config { seq, slot, item: item.clone() }))
        .collect()
}

/// Index of the first configuration item that a reader who has read up to `next` has not seen.
pub(crate) fn unseen<T>(configs: &Configs<T>, next: u64) -> usize {
    configs.partition_point(|config| config.seq < next)
}
