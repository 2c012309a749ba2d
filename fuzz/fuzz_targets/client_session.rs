//! libFuzzer program of `fuzz::client_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::client_session(data));
