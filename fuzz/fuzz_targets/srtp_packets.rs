//! libFuzzer program of `fuzz::srtp_packets`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::srtp_packets(data));
