//! What is held under a number that is never mistaken for an older one.

use std::fmt;

/// The key of an entry: where it is, and which of the entries that have been there.
pub(super) trait Key: Copy {
    fn new(index: u32, generation: u32) -> Self;
    fn index(self) -> u32;
    fn generation(self) -> u32;
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            index: u32,
            generation: u32,
        }

        impl Key for $name {
            fn new(index: u32, generation: u32) -> Self {
                Self { index, generation }
            }

            fn index(self) -> u32 {
                self.index
            }

            fn generation(self) -> u32 {
                self.generation
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({}.{})"), self.index, self.generation)
            }
        }
    };
}

key! {
    /// A peer of one [`Sfu`](super::Sfu). The number of a peer that has gone names no other.
    PeerId
}
key! {
    /// A stream of one [`Sfu`](super::Sfu). The number of a stream that is closed names no other.
    StreamId
}

/// Entries under keys that say which of the entries in a place is meant.
#[derive(Debug)]
pub(super) struct Slab<K, T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
    key: std::marker::PhantomData<K>,
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    entry: Option<T>,
}

impl<K: Key, T> Slab<K, T> {
    pub(super) const fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new(), key: std::marker::PhantomData }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len().saturating_sub(self.free.len())
    }

    /// The key that the next [`insert`](Self::insert) gives, for entries that know their own.
    pub(super) fn next_key(&self) -> K {
        match self.free.last() {
            Some(&index) => K::new(index, self.generation_at(index)),
            None => K::new(u32::try_from(self.places.len()).unwrap_or(u32::MAX), 0),
        }
    }

    pub(super) fn insert(&mut self, entry: T) -> K {
        let key = self.next_key();
        match self.free.pop().and_then(|index| self.places.get_mut(index as usize)) {
            Some(place) => place.entry = Some(entry),
            None => self.places.push(Place { generation: 0, entry: Some(entry) }),
        }
        key
    }

    pub(super) fn get(&self, key: K) -> Option<&T> {
        let place = self.places.get(key.index() as usize)?;
        place.entry.as_ref().filter(|_| place.generation == key.generation())
    }

    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let place = self.places.get_mut(key.index() as usize)?;
        place.entry.as_mut().filter(|_| place.generation == key.generation())
    }

    pub(super) fn remove(&mut self, key: K) -> Option<T> {
        let place = self.places.get_mut(key.index() as usize)?;
        if place.generation != key.generation() {
            return None;
        }
        let entry = place.entry.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.index());
        // Memory comes back after a flood: when nothing is left, nothing needs its place, but the
        // generations must go on, so that only the places' spare room can go.
        if self.len() == 0 {
            self.free.shrink_to_fit();
        }
        Some(entry)
    }

    /// The keys in every `step`-th place from `first` on.
    pub(super) fn keys(&self, first: usize, step: usize) -> impl Iterator<Item = K> + '_ {
        let places = self.places.iter().enumerate().skip(first).step_by(step.max(1));
        places
            .filter(|(_, place)| place.entry.is_some())
            .filter_map(|(index, place)| Some(K::new(u32::try_from(index).ok()?, place.generation)))
    }

    fn generation_at(&self, index: u32) -> u32 {
        self.places.get(index as usize).map_or(0, |place| place.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_names_nobody_else() {
        let mut slab = Slab::<PeerId, char>::new();
        let a = slab.insert('a');
        let b = slab.insert('b');
        assert_eq!(slab.remove(a), Some('a'));
        assert_eq!(slab.remove(a), None);
        let next = slab.next_key();
        let c = slab.insert('c');
        assert_eq!(next, c);
        assert_eq!((slab.get(a), slab.get(b), slab.get(c)), (None, Some(&'b'), Some(&'c')));
        assert_eq!((c.index(), c.generation()), (a.index(), 1));
        assert_eq!(slab.len(), 2);
        assert_eq!(slab.keys(0, 1).count(), 2);
        assert_eq!(slab.keys(1, 2).collect::<Vec<_>>(), [b]);
        assert_eq!(format!("{c:?}"), "PeerId(0.1)");
        *slab.get_mut(c).unwrap() = 'd';
        assert_eq!(slab.remove(c), Some('d'));
    }
}
