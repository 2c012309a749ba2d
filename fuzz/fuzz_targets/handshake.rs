//! libFuzzer program of `fuzz::handshake`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::handshake(data));
