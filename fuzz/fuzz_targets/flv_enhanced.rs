//! libFuzzer program of `fuzz::flv_enhanced`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::flv_enhanced(data));
