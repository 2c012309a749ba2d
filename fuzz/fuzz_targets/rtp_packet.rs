//! libFuzzer program of `fuzz::rtp_packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::rtp_packet(data));
