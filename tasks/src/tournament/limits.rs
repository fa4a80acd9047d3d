//! How large what somebody hands over may be. None of these decides a tournament.

/// Entrants of a tournament.
pub(super) const ENTRANTS: usize = 1000;
/// Rows of a loss vector.
pub(super) const ROWS: usize = 100_000;
/// The largest loss or score: sums of as many squares as there are rows are far from what does not fit.
pub(super) const SCORE: f64 = 1e100;
/// Wins in a row of a champion.
pub(super) const WINS: u32 = 100_000;
/// Bytes of a reason, a model's name, a task's id.
pub(super) const TEXT_BYTES: usize = 1000;
/// Tasks of a tournament, replaced ones included.
pub(super) const TASKS: usize = 10_000;
/// Bytes of an events file.
pub(super) const FILE_BYTES: usize = 256 << 20;
/// Events of a tournament.
pub(super) const EVENTS: u64 = 1_000_000;

/// 1 to 100 characters that need no quoting anywhere.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// What an error shows of a text that may be long.
pub(crate) fn shortened(text: &str) -> String {
    const SHOWN: usize = 120;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
