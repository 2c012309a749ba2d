//! libFuzzer program of `fuzz::session_pair`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::session_pair(data));
