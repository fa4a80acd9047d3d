//! Results as text.

use crate::result::{Bound, Failure, Limit, Machine, Peaks, Row};

/// The first line.
#[must_use]
pub fn header() -> String {
    format!(
        "{:<14} {:<40} {:>28} {:>9} {:>9} {:>22} {:>8} {:>6}",
        "family",
        "shape",
        "us p50 (p10-p90)",
        "GFLOP/s",
        "GB/s",
        "% of limit (p10-p90)",
        "prepare",
        "error"
    )
}

/// Three digits or so.
#[must_use]
pub fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 99.95 => format!("{value:.0}"),
        v if v >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A line.
#[must_use]
pub fn line(row: &Row) -> String {
    let m = &row.measured;
    let prepare = m.prepare_us.map_or_else(
        || "-".to_owned(),
        |us| format!("{:.1}%", us / m.us.p50.max(1e-9) * 100.0),
    );
    let of_limit = |limit: &Limit| {
        let bound = match limit.bound {
            Bound::Compute => 'c',
            Bound::Memory => 'm',
        };
        let percent = limit.percent;
        format!(
            "{:.1}{bound} ({:.1}-{:.1})",
            percent.p50, percent.p10, percent.p90
        )
    };
    let mut line = format!(
        "{:<14} {:<40} {:>28} {:>9} {:>9} {:>22} {:>8} {:>6}",
        row.family,
        row.shape,
        format!(
            "{} ({}-{})",
            short(m.us.p50),
            short(m.us.p10),
            short(m.us.p90)
        ),
        short(m.gflop_s()),
        short(m.gb_s()),
        m.limit.as_ref().map_or_else(|| "-".to_owned(), of_limit),
        prepare,
        m.worst_error
            .map_or_else(|| "-".to_owned(), |error| format!("{error:.2}")),
    );
    if let Some(percent) = m.datasheet_percent {
        line.push_str(&format!("  {percent:.1}% of datasheet"));
    }
    if !row.is_ours() {
        line.push_str(&format!("  {}", row.variant));
    }
    if let Some(ratio) = row.ours_over_this {
        line.push_str(&format!(", ours/this {ratio:.2}"));
    }
    line
}

/// A line for a shape that has no time.
#[must_use]
pub fn failure(failure: &Failure) -> String {
    let what = if failure.skipped {
        "skipped"
    } else {
        "NO TIME"
    };
    let reason = failure.reason.replace('\n', "; ");
    format!(
        "{:<14} {:<40} {what}: {reason}",
        failure.family, failure.shape
    )
}

/// Where it was measured, and what that can do.
#[must_use]
pub fn machine(machine: &Machine, peaks: Option<&Peaks>) -> String {
    let mut text = format!("{}: {}, {}", machine.device, machine.name, machine.isa);
    if machine.threads > 0 {
        text.push_str(&format!(", {} threads", machine.threads));
    }
    if let Some(peaks) = peaks {
        text.push_str(&format!(
            "\nlimits: {} GFLOP/s, {} GB/s ({})",
            short(peaks.gflop_s),
            short(peaks.gb_s),
            peaks.how
        ));
        if let Some(sheet) = &peaks.datasheet {
            text.push_str(&format!(
                "\ndatasheet: {} GFLOP/s, {} GB/s",
                short(sheet.gflop_s),
                short(sheet.gb_s)
            ));
        }
    }
    text
}

/// What the columns mean.
pub const LEGEND: &str = "\
us: time of one run; CPU time of all threads on a CPU, device time on a GPU. % of limit: of arithmetic (c) or of moving the
bytes once (m), whichever takes longer; measured in this run. prepare: packing of weights, as a share of one run.
error: largest difference from the f64 reference, as a fraction of what is allowed. ours/this: our time over that of another library.";

/// What is said of a whole model besides its time.
#[must_use]
pub fn eval(eval: &crate::result::EvalNumbers) -> String {
    let mut text = format!(
        "{} tokens, {} candidates: {} tokens/s",
        eval.tokens,
        eval.candidates,
        short(eval.tokens_per_s)
    );
    if let Some(rate) = eval.tokens_per_cpu_s {
        text.push_str(&format!(", {} per CPU-second", short(rate)));
    }
    text.push_str(&format!(
        "; mean loss {:.6} nats; {:.2} GB of weights read in {} passes",
        eval.nll,
        eval.read_bytes as f64 / 1e9,
        eval.passes
    ));
    for (phase, seconds) in &eval.phases_s {
        text.push_str(&format!("\n  {phase:<16} {seconds:.3} s"));
    }
    text
}
