//! Two results side by side.

use crate::result::{Row, Run};
use crate::table::short;
use std::collections::BTreeSet;
use std::fmt::Write;
use thiserror::Error;

/// Why two results cannot be compared.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CompareError {
    /// Kernels and models.
    #[error("the first result is of {a} and the second of {b}: nothing in them is the same work")]
    Kind {
        /// Of the first.
        a: String,
        /// Of the second.
        b: String,
    },
    /// No shape in common.
    #[error(
        "the results have no shape in common\nhelp: measure the same shapes with both, for example --shapes FILE"
    )]
    Nothing,
}

/// One shape in both results.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratio {
    /// Family and shape.
    pub name: String,
    /// Variants, first and second.
    pub variants: (String, String),
    /// Median microseconds, first and second.
    pub us: (f64, f64),
    /// Second time over first: above 1, the second is slower.
    pub ratio: f64,
    /// The least and most that the tenth and ninetieth percentiles allow.
    pub spread: (f64, f64),
    /// Percent of the limit, first and second; `None` where that was not measured.
    pub percent: (Option<f64>, Option<f64>),
    /// Beyond what is tolerated.
    pub regressed: bool,
}

/// What differs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// Shapes in both.
    pub ratios: Vec<Ratio>,
    /// Only in the first.
    pub missing: Vec<String>,
    /// Only in the second.
    pub added: Vec<String>,
    /// Had a time in the first and fail in the second.
    pub broken: Vec<String>,
    /// Properties of the machines that differ.
    pub machine: Vec<String>,
}

fn name(row: &Row) -> String {
    format!("{}:{}", row.family, row.shape)
}

/// Compares `b` with `a`; a ratio above `1 + tolerance` is a regression.
///
/// Variants of one name are compared with each other; a shape that has no variant in common is compared with every variant of
/// the other side, which is how peers meet ours.
///
/// # Errors
/// If nothing in them can be compared.
pub fn compare(a: &Run, b: &Run, tolerance: f64) -> Result<Comparison, CompareError> {
    if a.kind != b.kind {
        return Err(CompareError::Kind {
            a: a.kind.clone(),
            b: b.kind.clone(),
        });
    }
    let mut found = Comparison {
        machine: machine(a, b),
        ..Comparison::default()
    };
    let of_a: BTreeSet<String> = a.rows.iter().map(name).collect();
    let of_b: BTreeSet<String> = b.rows.iter().map(name).collect();
    let failed: BTreeSet<String> = b
        .failures
        .iter()
        .filter(|failure| !failure.skipped)
        .map(|failure| format!("{}:{}", failure.family, failure.shape))
        .collect();
    for key in of_a.difference(&of_b) {
        if failed.contains(key) {
            found.broken.push(key.clone());
        } else {
            found.missing.push(key.clone());
        }
    }
    found.added = of_b.difference(&of_a).cloned().collect();
    for first in &a.rows {
        let others: Vec<&Row> = b
            .rows
            .iter()
            .filter(|row| name(row) == name(first))
            .collect();
        let shared = others.iter().any(|row| row.variant == first.variant);
        let pairs = others
            .into_iter()
            .filter(|row| !shared || row.variant == first.variant);
        found
            .ratios
            .extend(pairs.map(|second| ratio(first, second, tolerance)));
    }
    if found.ratios.is_empty() && found.broken.is_empty() {
        return Err(CompareError::Nothing);
    }
    Ok(found)
}

/// Median percent of a row's limit, if it has one.
fn percent(row: &Row) -> Option<f64> {
    row.measured.limit.map(|limit| limit.percent.p50)
}

fn ratio(a: &Row, b: &Row, tolerance: f64) -> Ratio {
    let (first, second) = (a.measured.us, b.measured.us);
    let over = |b: f64, a: f64| b / a.max(1e-12);
    let ratio = over(second.p50, first.p50);
    Ratio {
        name: name(a),
        variants: (a.variant.clone(), b.variant.clone()),
        us: (first.p50, second.p50),
        ratio,
        spread: (over(second.p10, first.p90), over(second.p90, first.p10)),
        percent: (percent(a), percent(b)),
        regressed: ratio > 1.0 + tolerance,
    }
}

fn machine(a: &Run, b: &Run) -> Vec<String> {
    let (x, y) = (&a.machine, &b.machine);
    let text = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    let fields = [
        ("program", a.program.clone(), b.program.clone()),
        ("device", x.device.clone(), y.device.clone()),
        ("name", x.name.clone(), y.name.clone()),
        ("clock", x.clock.clone(), y.clock.clone()),
        ("isa", x.isa.clone(), y.isa.clone()),
        ("threads", x.threads.to_string(), y.threads.to_string()),
        ("driver", text(x.driver.clone()), text(y.driver.clone())),
    ];
    let differ = fields.into_iter().filter(|(_, a, b)| a != b);
    differ
        .map(|(what, a, b)| format!("{what}: {a} / {b}"))
        .collect()
}

impl Comparison {
    /// Whether the second is worse than tolerated.
    #[must_use]
    pub fn regressed(&self) -> bool {
        !self.broken.is_empty() || self.ratios.iter().any(|ratio| ratio.regressed)
    }

    /// As a table.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut say =
            |line: std::fmt::Arguments<'_>| writeln!(text, "{line}").expect("a string grows");
        for line in &self.machine {
            say(format_args!("differs: {line}"));
        }
        say(format_args!(
            "{:<54} {:>11} {:>11} {:>8} {:>15} {:>15}",
            "shape", "first us", "second us", "ratio", "spread", "% of limit"
        ));
        for r in &self.ratios {
            let variants = if r.variants.0 == r.variants.1 {
                String::new()
            } else {
                format!("  {} / {}", r.variants.0, r.variants.1)
            };
            let shown = |percent: Option<f64>| {
                percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1}"))
            };
            let mark = if r.regressed { "  SLOWER" } else { "" };
            say(format_args!(
                "{:<54} {:>11} {:>11} {:>8.3} {:>15} {:>15}{mark}{variants}",
                r.name,
                short(r.us.0),
                short(r.us.1),
                r.ratio,
                format!("{:.2}-{:.2}", r.spread.0, r.spread.1),
                format!("{} / {}", shown(r.percent.0), shown(r.percent.1)),
            ));
        }
        for (what, names) in [
            ("only in the first", &self.missing),
            ("only in the second", &self.added),
            ("NO TIME in the second", &self.broken),
        ] {
            for name in names {
                say(format_args!("{name:<54} {what}"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests;
