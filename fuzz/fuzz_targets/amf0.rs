//! libFuzzer program of `fuzz::amf0`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::amf0(data));
