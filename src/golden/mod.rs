//! Judgement.
