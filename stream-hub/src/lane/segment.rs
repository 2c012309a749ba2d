//! A fixed run of slots, written once each and read without a lock.

use std::sync::OnceLock;

use crate::Item;

/// Slots of a segment: enough that a reader rarely crosses into another, few enough that dropping one
/// is a small step. Lanes of which little is held for joiners should not hold more in what is open.
pub(crate) const fn slots<T: Item>() -> usize {
    if T::JOIN_BOUND.is_some() { 16 } else { 64 }
}

/// An item in its place, with the lane's running byte count.
pub(crate) struct Held<T> {
    pub(crate) item: T,
    /// Bytes pushed to the lane up to and including this item: a batch is measured by a
    /// subtraction instead of a walk.
    pub(crate) end: u64,
}

/// Items `base .. base + slots` of a lane.
pub(crate) struct Segment<T> {
    pub(crate) base: u64,
    slots: Box<[OnceLock<Held<T>>]>,
}

impl<T: Item> Segment<T> {
    pub(crate) fn new(base: u64) -> Self {
        Self { base, slots: (0..slots::<T>()).map(|_| OnceLock::new()).collect() }
    }

    /// Fills slot `at`; the ring's lock makes sure that it is the next empty one.
    pub(crate) fn set(&self, at: usize, held: Held<T>) {
        let fresh = self.slots.get(at).is_some_and(|slot| slot.set(held).is_ok());
        debug_assert!(fresh, "slot {at} is filled once");
    }

    pub(crate) fn held(&self, at: usize) -> Option<&Held<T>> {
        self.slots.get(at).and_then(OnceLock::get)
    }

    /// The filled slots of a range, in order.
    pub(crate) fn items(
        &self,
        from: usize,
        to: usize,
    ) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.slots
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .filter_map(|slot| slot.get().map(|held| &held.item))
    }
}
