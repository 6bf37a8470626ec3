//! libFuzzer at the door `csv`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    lockstep_fuzz::bodies::csv(data);
});
