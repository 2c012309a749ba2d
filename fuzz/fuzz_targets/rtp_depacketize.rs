//! libFuzzer program of `fuzz::rtp_depacketize`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::rtp_depacketize(data));
