//! libFuzzer program of `fuzz::server_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::server_session(data));
