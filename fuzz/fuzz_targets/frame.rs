//! libFuzzer at the door `frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    lockstep_fuzz::bodies::frame(data);
});
