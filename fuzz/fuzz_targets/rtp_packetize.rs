//! libFuzzer program of `fuzz::rtp_packetize`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::rtp_packetize(data));
