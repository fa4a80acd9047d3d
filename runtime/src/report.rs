//! HTML pages, of evaluations here and of tournaments in [`tournament`]: one file, no scripts, nothing fetched. Plots are SVG that we draw; colours follow the reader's
//! light or dark setting.
//!
//! Everything that came from a submission passes `text::escaped` on its way in.
//!
//! | module | draws |
//! |---|---|
//! | `standings` | the verdict, and the ranked table |
//! | `differences` | losses, and distances to the best with their intervals |
//! | `rows` | per-row losses, and where candidates part |
//! | `wins` | who won how many rows against whom |
//! | `bounds` | bootstrap bounds against what the rules ask |
//! | `page`, `plot`, `text` | what all pages are made of |
//! | `provenance` | failures, notes, and what computed the numbers |

mod bounds;
mod differences;
mod page;
mod plot;
mod provenance;
mod rows;
mod standings;
mod text;
pub mod tournament;
mod wins;

use crate::compare::Comparison;
use text::escaped;

/// The page of an evaluation.
pub fn render(comparison: &Comparison<'_>) -> String {
    let evaluation = comparison.evaluation;
    let title = escaped(&evaluation.task_id);
    let sections = [
        standings::render(comparison),
        differences::render(comparison),
        bounds::render(comparison),
        wins::render(comparison),
        rows::render(comparison),
        provenance::render(comparison),
    ];
    page::page(
        &format!("evaluation · {}", escaped(&evaluation.task_type)),
        &title,
        &sections.concat(),
    )
}

#[cfg(test)]
mod tests;
