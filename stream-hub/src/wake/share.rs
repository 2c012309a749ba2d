//! The readers of one lane that one group wakes with one window.
//!
//! A push touches a share's flags and, when the group does not know yet, the group's queue: its
//! cost grows with the number of groups, not with the readers. The readers wait in slots that
//! [`Share::service`] looks at on the group's own thread.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::group::{Group, Pace};
use super::sweep::Sweep;
use super::{Signal, Wakes};
use crate::Window;

/// New items since the readers were last looked at, or a sweep is running and will see them.
const ITEMS: u8 = 1;
/// A new join point, and readers that wait for one.
const JOIN: u8 = 2;
/// Everybody is to look again: the stream ended, the lane failed.
const ALL: u8 = 4;

/// Longer windows are cut to this, so that the clock's range is never left.
const LONGEST: Duration = Duration::from_secs(3600);

/// Marks a wish for a join point instead of any item.
const JOIN_BIT: u64 = 1 << 63;
const NOTHING: u64 = u64::MAX;

/// What a reader waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Want {
    /// The item of this number.
    Item(u64),
    /// A join point of this number or later.
    Join(u64),
}

/// What happened to a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Item,
    JoinPoint,
    Everything,
}

/// One reader's place in a share.
pub(crate) struct WaitSlot {
    /// Kept between waits, so that a task that waits again does not clone it again.
    waker: Option<Waker>,
    /// [`NOTHING`], an item's number, or a join point's with [`JOIN_BIT`].
    want: u64,
}

impl WaitSlot {
    fn is_due(&self, signal: &Signal, head: u64) -> bool {
        match self.want {
            NOTHING => false,
            want if want & JOIN_BIT != 0 => signal.joins(want & !JOIN_BIT),
            want => want < head,
        }
    }

    /// Returns the waker it had before, to be dropped when no lock is held: it may be the last of
    /// its task.
    #[must_use]
    fn set(&mut self, want: Want, waker: &Waker) -> Option<Waker> {
        self.want = match want {
            Want::Item(seq) => seq,
            Want::Join(seq) => seq | JOIN_BIT,
        };
        match &self.waker {
            Some(old) if old.will_wake(waker) => None,
            _ => self.waker.replace(waker.clone()),
        }
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) slots: Vec<WaitSlot>,
    free: Vec<u32>,
    pub(super) sweep: Option<Sweep>,
    /// A reader began to wait behind the head: the sweep must come round once more.
    pub(super) behind: bool,
    /// The group has a timer for this share.
    pub(super) timed: bool,
}

impl State {
    /// Whether no reader is in. Such a share is not entered again: its lane drops it.
    fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// Wakes the readers in a range of slots that have something to read.
    pub(super) fn wake(&mut self, from: usize, to: usize, share: &Share) {
        let head = share.signal.head();
        for slot in self.slots.get_mut(from..to).unwrap_or_default() {
            if slot.is_due(&share.signal, head) {
                share.release(slot);
            }
        }
    }
}

pub(crate) struct Share {
    group: Option<(Weak<Group>, Pace)>,
    window: Window,
    pub(super) signal: Arc<Signal>,
    flags: AtomicU8,
    /// Slots that wait for a join point.
    joiners: AtomicU32,
    state: Mutex<State>,
}

impl Share {
    pub(crate) fn new(group: Option<&Arc<Group>>, window: Window, signal: &Arc<Signal>) -> Self {
        Self {
            group: group.map(|group| (Arc::downgrade(group), group.pace())),
            window,
            signal: Arc::clone(signal),
            flags: AtomicU8::new(0),
            joiners: AtomicU32::new(0),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is the share of a group and a window.
    pub(crate) fn is_for(&self, group: Option<&Arc<Group>>, window: Window) -> bool {
        let same = match (&self.group, group) {
            (Some((own, _)), Some(group)) => std::ptr::eq(own.as_ptr(), Arc::as_ptr(group)),
            (None, None) => true,
            _ => false,
        };
        same && self.window == window
    }

    /// The window now; zero for every item.
    pub(super) fn window(&self) -> Duration {
        let window = match (&self.group, self.window) {
            (None, _) | (_, Window::Every) => Duration::ZERO,
            (_, Window::Fixed(window)) => window,
            (Some((_, pace)), Window::Auto) => pace.window(),
        };
        window.min(LONGEST)
    }

    /// Whether readers that have read everything wait for their phase of a window.
    pub(crate) fn is_paced(&self) -> bool {
        !self.window().is_zero()
    }

    /// Adds a reader.
    pub(crate) fn enter(&self) -> u32 {
        let mut state = self.state();
        state.free.pop().unwrap_or_else(|| {
            state.slots.push(WaitSlot { waker: None, want: NOTHING });
            (state.slots.len() - 1) as u32
        })
    }

    /// Takes a reader out; true if none is left. Its waker is to be dropped when no lock is held.
    pub(crate) fn leave(&self, slot: u32) -> (bool, Option<Waker>) {
        let mut state = self.state();
        let waker = state.slots.get_mut(slot as usize).and_then(|slot| {
            self.clear(slot);
            slot.waker.take()
        });
        state.free.push(slot);
        (state.is_empty(), waker)
    }

    /// Lets a reader wait. False if there is already what it wants.
    pub(crate) fn wait(&self, slot: u32, want: Want, waker: &Waker) -> bool {
        let mut state = self.state();
        let old = state.slots.get_mut(slot as usize).and_then(|slot| {
            self.clear(slot);
            if matches!(want, Want::Join(_)) {
                self.joiners.fetch_add(1, Ordering::SeqCst);
            }
            slot.set(want, waker)
        });
        drop(state);
        drop(old);
        // A push that came before the slot was set may have looked at it already.
        let there = match want {
            Want::Item(seq) => self.signal.head() > seq,
            Want::Join(seq) => self.signal.joins(seq),
        };
        if there {
            self.forget(slot);
        }
        !there
    }

    /// Takes back a wish.
    pub(crate) fn forget(&self, slot: u32) {
        if let Some(slot) = self.state().slots.get_mut(slot as usize) {
            self.clear(slot);
        }
    }

    /// Lets a reader that has read up to `next` wait for its phase, even if there is more to read.
    pub(crate) fn wait_phase(self: &Arc<Self>, slot: u32, next: u64, waker: &Waker) {
        let mut state = self.state();
        let old = state.slots.get_mut(slot as usize).and_then(|slot| {
            self.clear(slot);
            slot.set(Want::Item(next), waker)
        });
        let behind = self.signal.head() > next;
        state.behind |= behind;
        drop(state);
        drop(old);
        if behind {
            // If no sweep is running, the push that made this reader late is long served.
            let mut wakes = Wakes::default();
            self.raise(ITEMS, &mut wakes);
            wakes.wake_all();
        }
    }

    /// Whether a reader that waits for its phase still does; renews its waker if so.
    pub(crate) fn is_waiting(&self, slot: u32, waker: &Waker) -> bool {
        let mut state = self.state();
        let Some(slot) = state.slots.get_mut(slot as usize) else { return false };
        let waiting = slot.want != NOTHING;
        let old = match &slot.waker {
            Some(old) if old.will_wake(waker) => None,
            _ if waiting => slot.waker.replace(waker.clone()),
            _ => None,
        };
        drop(state);
        drop(old);
        waiting
    }

    fn clear(&self, slot: &mut WaitSlot) {
        if slot.want != NOTHING && slot.want & JOIN_BIT != 0 {
            self.joiners.fetch_sub(1, Ordering::SeqCst);
        }
        slot.want = NOTHING;
    }

    fn release(&self, slot: &mut WaitSlot) {
        self.clear(slot);
        if let Some(waker) = &slot.waker {
            waker.wake_by_ref();
        }
    }

    /// Tells the share's readers, or the group that will tell them, that something happened.
    pub(crate) fn notify(self: &Arc<Self>, kind: Kind, wakes: &mut Wakes) {
        let bits = match kind {
            Kind::Item => ITEMS,
            Kind::JoinPoint if self.joiners.load(Ordering::SeqCst) > 0 => ITEMS | JOIN,
            Kind::JoinPoint => ITEMS,
            Kind::Everything => ALL,
        };
        if self.group.is_some() {
            self.raise(bits, wakes);
        } else {
            self.wake_direct(kind, wakes);
        }
    }

    fn raise(self: &Arc<Self>, bits: u8, wakes: &mut Wakes) {
        let known = self.flags.fetch_or(bits, Ordering::AcqRel);
        if known & bits == bits {
            return;
        }
        if let Some(group) = self.group.as_ref().and_then(|(group, _)| group.upgrade()) {
            group.enqueue(Arc::clone(self), wakes);
        }
    }

    /// Without a group: takes the wakers of those concerned, to be called without a lock.
    fn wake_direct(&self, kind: Kind, wakes: &mut Wakes) {
        let mut state = self.state();
        let head = self.signal.head();
        for slot in &mut state.slots {
            let due = slot.want != NOTHING
                && (kind == Kind::Everything || slot.is_due(&self.signal, head));
            if due {
                self.clear(slot);
                if let Some(waker) = slot.waker.take() {
                    wakes.add(waker);
                }
            }
        }
    }

    /// Wakes those who are due; says when to come again. Called on the group's thread.
    pub(super) fn service(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        if state.is_empty() {
            // Its lane has let go of it: nothing more will come.
            return None;
        }
        if self.flags.fetch_and(!ALL, Ordering::AcqRel) & ALL != 0 {
            for slot in state.slots.iter_mut().filter(|slot| slot.want != NOTHING) {
                self.release(slot);
            }
        }
        if self.flags.fetch_and(!JOIN, Ordering::AcqRel) & JOIN != 0 {
            for slot in &mut state.slots {
                if slot.want & JOIN_BIT != 0 && slot.is_due(&self.signal, 0) {
                    self.release(slot);
                }
            }
        }
        let window = self.window();
        if window.is_zero() {
            self.flags.fetch_and(!ITEMS, Ordering::AcqRel);
            state.sweep = None;
            state.behind = false;
            let all = state.slots.len();
            state.wake(0, all, self);
            return None;
        }
        if self.flags.load(Ordering::Acquire) & ITEMS == 0 {
            return None;
        }
        Sweep::run(&mut state, self, window, now)
    }

    /// Ends the running sweep, unless something came in since its last lap began.
    pub(super) fn try_rest(&self, head: u64) -> bool {
        self.flags.fetch_and(!ITEMS, Ordering::AcqRel);
        if self.signal.head() == head {
            return true;
        }
        self.flags.fetch_or(ITEMS, Ordering::AcqRel);
        false
    }

    /// Whether the group has a timer for this share; sets it.
    pub(super) fn set_timed(&self, timed: bool) -> bool {
        std::mem::replace(&mut self.state().timed, timed)
    }
}
