//! libFuzzer at the door `complaint`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    lockstep_fuzz::bodies::complaint(data);
});
