//! The only place where source, sequencer, journal, core and sinks meet. Live and replay differ in
//! the source that they hand in here, and nowhere else.
//!

//! - [`plan`] from what is asked to a run's first record
