//! libFuzzer program of `fuzz::flv_nal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::flv_nal(data));
