//! libFuzzer at the door `judge`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    lockstep_fuzz::bodies::judge(data);
});
