#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| statewright_fuzz::fuzz::run("commits", data));
