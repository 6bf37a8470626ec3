//! libFuzzer at the door `reader`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    lockstep_fuzz::bodies::reader(data);
});
