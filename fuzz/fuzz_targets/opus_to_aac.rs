//! libFuzzer program of `fuzz::opus_to_aac`.
#![no_main]

libfuzzer_sys::fuzz_target!(
    // A codec may panic, for that is contained; libFuzzer's hook would end the program before.
    init: drop(std::panic::take_hook()),
    |data: &[u8]| fuzz::opus_to_aac(data)
);
