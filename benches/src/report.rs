//! Table and JSON.

use crate::measure::{Measurement, Work};
use serde::Serialize;

/// The run: where and how it was measured.
#[derive(Debug, Serialize)]
pub struct Run {
    /// Version of this shape.
    pub schema: u32,
    /// The processor's name.
    pub cpu_model: String,
    /// Instruction set of the kernels.
    pub isa: &'static str,
    /// Threads of the kernels that use several.
    pub threads: usize,
    /// One for each kernel and shape.
    pub rows: Vec<Row>,
}

/// One kernel at one shape.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Kernel family.
    pub family: &'static str,
    /// Shapes and dtypes.
    pub shape: String,
    /// What was measured.
    #[serde(flatten)]
    pub measurement: Measurement,
}

/// The first line of the table.
#[must_use]
pub fn header() -> String {
    format!(
        "{:<14} {:<34} {:>30} {:>13} {:>22} {:>9} {:>6}",
        "family",
        "shape",
        "CPU us p50 (p10-p90)",
        "rate/CPU-s",
        "% roofline p50 (10-90)",
        "prepare",
        "error"
    )
}

impl Row {
    /// A line of the table.
    #[must_use]
    pub fn line(&self) -> String {
        let m = &self.measurement;
        let unit = match m.work {
            Work::Compute { .. } => "GFLOP",
            Work::Memory { .. } => "GB",
        };
        let us = |v: f64| {
            if v < 1000.0 {
                format!("{v:.1}")
            } else {
                format!("{v:.0}")
            }
        };
        let prepare = m.prepare_us.map_or_else(
            || "-".to_owned(),
            |p| format!("{:.1}%", p / m.cpu_us.p50 * 100.0),
        );
        format!(
            "{:<14} {:<34} {:>30} {:>13} {:>22} {:>9} {:>6.2}",
            self.family,
            self.shape,
            format!(
                "{} ({}-{})",
                us(m.cpu_us.p50),
                us(m.cpu_us.p10),
                us(m.cpu_us.p90)
            ),
            format!("{:.1} {unit}", m.giga_per_cpu_s),
            format!(
                "{:.1} ({:.1}-{:.1})",
                m.percent.p50, m.percent.p10, m.percent.p90
            ),
            prepare,
            m.worst_error,
        )
    }
}

/// What the columns mean.
pub const LEGEND: &str = "\
CPU us: CPU time of one run, all threads. % roofline: fused multiply-adds in registers (GFLOP) or a copy of as many
bytes (GB), measured before and after each sample. prepare: packing of weights, as a share of one run.
error: largest difference from the f64 reference, as a fraction of what is allowed.";

/// The processor's name, as Linux has it.
#[must_use]
pub fn cpu_model() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    info.lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}
