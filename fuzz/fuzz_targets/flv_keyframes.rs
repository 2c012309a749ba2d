//! libFuzzer program of `fuzz::flv_keyframes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::flv_keyframes(data));
