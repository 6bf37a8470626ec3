//! A wall between the decoder and the program. Some damaged Parquet files make the library panic
//! instead of answering with an error; behind the wall a panic is an error like any other.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether this thread is behind the wall, where a panic is expected and needs no message.
    static SHIELDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic inside becomes an `Err` with the panic's message.
///
/// The first call puts a hook in front of the process's panic hook. It is silent for threads that
/// are in here and hands everything else on, so the panics of others look as they always did.
pub fn shielded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !SHIELDED.get() {
                before(panic);
            }
        }));
    });
    let outer = SHIELDED.replace(true);
    // What `work` leaves half done is dropped with the panic: it owns all it changes.
    let result = catch_unwind(AssertUnwindSafe(work));
    SHIELDED.set(outer);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("the decoder gave up").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::shielded;

    #[test]
    fn a_panic_behind_the_wall_is_an_error() {
        let bytes = [1_u8, 2, 3];
        let length = bytes.len();
        let result = shielded(|| bytes[length - 1 + usize::from(bytes[0])]);
        assert_eq!(result.unwrap_err(), "index out of bounds: the len is 3 but the index is 3");
        assert_eq!(shielded(|| bytes[0]), Ok(1));
    }
}
