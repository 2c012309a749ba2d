//! No codecs: nothing can be transcoded.

use bytes::Bytes;

use super::Timed;
use crate::bridge::Running;

const NO_CODECS: &str = "this build has no codecs";

/// There is none.
pub(in crate::bridge) enum ToOpus {}

/// There is none.
pub(in crate::bridge) enum ToAac {}

impl ToOpus {
    pub(in crate::bridge) fn of_aac(_: &[u8], _: u32, running: &Running) -> Option<Self> {
        running.note_no_sound(NO_CODECS);
        None
    }
    pub(in crate::bridge) fn of_mp3(_: u32, running: &Running) -> Option<Self> {
        running.note_no_sound(NO_CODECS);
        None
    }
    pub(in crate::bridge) fn configure(&mut self, _: &[u8], _: &Running) {
        match *self {}
    }
    pub(in crate::bridge) fn push(&mut self, _: u64, _: &[u8], _: &Running) -> Vec<Timed> {
        match *self {}
    }
    pub(in crate::bridge) fn restarts(&self) -> u64 {
        match *self {}
    }
    pub(in crate::bridge) fn gap(&mut self) {
        match *self {}
    }
}

impl ToAac {
    pub(in crate::bridge) fn new(_: u32) -> Option<Self> {
        None
    }
    pub(in crate::bridge) fn config(&self) -> &Bytes {
        match *self {}
    }
    pub(in crate::bridge) fn push(&mut self, _: u64, _: &[u8], _: &Running) -> Vec<Timed> {
        match *self {}
    }
    pub(in crate::bridge) fn gap(&mut self) {
        match *self {}
    }
}
