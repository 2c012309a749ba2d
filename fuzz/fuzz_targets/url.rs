//! libFuzzer program of `fuzz::url`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::url(data));
