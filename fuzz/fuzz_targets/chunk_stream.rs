//! libFuzzer program of `fuzz::chunk_stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::chunk_stream(data));
