//! libFuzzer program of `fuzz::rtp_arrivals`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::rtp_arrivals(data));
