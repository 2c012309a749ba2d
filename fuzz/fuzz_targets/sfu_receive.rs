//! libFuzzer program of `fuzz::sfu_receive`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::sfu_receive(data));
