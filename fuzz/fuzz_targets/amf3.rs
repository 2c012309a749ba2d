//! libFuzzer program of `fuzz::amf3`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::amf3(data));
