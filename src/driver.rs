//! The only place where source, sequencer, journal, core and sinks meet.
