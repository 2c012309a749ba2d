//! libFuzzer program of `fuzz::flv_resync`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::flv_resync(data));
