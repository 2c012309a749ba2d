//! libFuzzer program of `fuzz::flv_codec_records`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::flv_codec_records(data));
