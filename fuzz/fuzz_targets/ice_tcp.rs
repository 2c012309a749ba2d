//! libFuzzer program of `fuzz::ice_tcp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::ice_tcp(data));
