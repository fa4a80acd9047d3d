//! What an Xid error means for the GPU it came from. Pure.
//!
//! Xids are numbered error reports of the NVIDIA driver (NVIDIA, "Xid errors", GPU deployment documentation). Most are
//! the fault of the program that ran; some say that the hardware must not be used before a reset.

use serde::Serialize;

/// What follows from an Xid for whoever wants to use the GPU next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Consequence {
    /// The program that ran is to blame, or nobody; the GPU is as good as before.
    Program,
    /// It works, with a reset due at the next chance.
    ResetSoon,
    /// Nothing may run on it before a reset.
    ResetNow,
    /// Not in the table: worth a look.
    Unknown,
}

/// What is known of Xid `code`: its meaning, in a few words, and what follows.
pub fn meaning(code: u64) -> (&'static str, Consequence) {
    use Consequence::{Program, ResetNow, ResetSoon, Unknown};
    match code {
        8 => ("GPU stopped processing", Program),
        13 => ("graphics engine exception", Program),
        31 => ("memory page fault", Program),
        32 => ("corrupted push buffer", Program),
        43 => ("GPU stopped processing", Program),
        45 => ("channels were removed from the program", Program),
        48 => ("uncorrectable memory error", ResetNow),
        61 | 62 => ("internal micro-controller halt", ResetNow),
        63 => ("memory row is to be remapped", ResetSoon),
        64 => ("memory row could not be remapped", ResetNow),
        68 => ("video processor exception", Program),
        69 => ("graphics engine class error", Program),
        74 => ("NVLink error", ResetNow),
        79 => ("GPU has fallen off the bus", ResetNow),
        92 => ("high rate of corrected memory errors", ResetSoon),
        94 => (
            "uncorrectable memory error, contained to one program",
            ResetSoon,
        ),
        95 => ("uncorrectable memory error, not contained", ResetNow),
        109 => ("context switch timed out", Program),
        119 | 120 => ("GPU system processor does not answer", ResetNow),
        140 => (
            "uncorrectable memory error that ECC did not repair",
            ResetNow,
        ),
        154 => ("GPU wants a recovery action", ResetNow),
        _ => ("not in the table of gradus", Unknown),
    }
}
