//! libFuzzer program of `fuzz::flv_demux`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::flv_demux(data));
