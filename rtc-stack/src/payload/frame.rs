use bytes::{Bytes, BytesMut};

use crate::Limits;

/// Why a frame can't be put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// The payload isn't what its format says.
    Malformed,
    /// A piece without those before it, or without those after it.
    Incomplete,
    /// More bytes or units than a frame may have.
    TooLarge,
}

/// A frame that is put together: units that are whole, and one that may be in pieces.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) units: Vec<Bytes>,
    open: Open,
    bytes: usize,
    max_bytes: usize,
    max_units: usize,
}

/// A unit that is put together.
#[derive(Debug)]
enum Open {
    No,
    /// Its first piece, which may stay the only one: so it is not copied before the second comes.
    First(Bytes),
    Joined(BytesMut),
}

impl Frame {
    pub(super) const fn new(limits: &Limits) -> Self {
        let (max_bytes, max_units) = (limits.frame_bytes, limits.frame_units);
        Self { units: Vec::new(), open: Open::No, bytes: 0, max_bytes, max_units }
    }

    /// Forgets all of it.
    pub(super) fn clear(&mut self) {
        self.units.clear();
        self.open = Open::No;
        self.bytes = 0;
    }

    /// Takes the units, and begins anew.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.bytes = 0;
        std::mem::take(&mut self.units)
    }

    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.open, Open::No)
    }

    /// Appends a unit that is whole.
    pub(super) fn push(&mut self, unit: Bytes) -> Result<(), Damage> {
        self.begin(unit)?;
        self.end();
        Ok(())
    }

    /// Begins a unit.
    pub(super) fn begin(&mut self, piece: Bytes) -> Result<(), Damage> {
        self.count(piece.len())?;
        self.open(Open::First(piece))
    }

    /// Begins a unit whose header isn't before its first piece.
    pub(super) fn begin_with(&mut self, header: &[u8], piece: &[u8]) -> Result<(), Damage> {
        self.count(header.len().saturating_add(piece.len()))?;
        // Those that follow are as long, and two at least.
        let mut joined = BytesMut::with_capacity(piece.len().saturating_mul(4).min(self.max_bytes));
        joined.extend_from_slice(header);
        joined.extend_from_slice(piece);
        self.open(Open::Joined(joined))
    }

    /// Appends a unit whose bytes were counted when they were joined.
    pub(super) fn push_counted(&mut self, unit: Bytes) -> Result<(), Damage> {
        self.open(Open::First(unit))?;
        self.end();
        Ok(())
    }

    fn open(&mut self, open: Open) -> Result<(), Damage> {
        if self.is_open() {
            return Err(Damage::Incomplete);
        }
        if self.units.len() >= self.max_units {
            return Err(Damage::TooLarge);
        }
        self.open = open;
        Ok(())
    }

    /// Continues the unit that is open.
    pub(super) fn extend(&mut self, piece: &[u8]) -> Result<(), Damage> {
        self.count(piece.len())?;
        match &mut self.open {
            Open::No => return Err(Damage::Incomplete),
            Open::First(first) => {
                let room = first.len().saturating_add(piece.len()).saturating_mul(2);
                let mut joined = BytesMut::with_capacity(room.min(self.max_bytes));
                joined.extend_from_slice(first);
                joined.extend_from_slice(piece);
                self.open = Open::Joined(joined);
            }
            Open::Joined(joined) => joined.extend_from_slice(piece),
        }
        Ok(())
    }

    /// Takes the open unit, instead of appending it as it is.
    pub(super) fn close(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.open, Open::No) {
            Open::No => None,
            Open::First(unit) => Some(unit),
            Open::Joined(unit) => Some(unit.freeze()),
        }
    }

    /// Ends the open unit, if there is one.
    pub(super) fn end(&mut self) {
        let unit = self.close();
        self.units.extend(unit);
    }

    fn count(&mut self, bytes: usize) -> Result<(), Damage> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.max_bytes { Err(Damage::TooLarge) } else { Ok(()) }
    }
}
