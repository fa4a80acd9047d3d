//! The HTML page: one file, no scripts, nothing fetched. Plots are SVG that we draw; colours follow the reader's
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
//! | `provenance` | failures, notes, and what computed the numbers |

mod bounds;
mod differences;
mod plot;
mod provenance;
mod rows;
mod standings;
mod text;
mod wins;

use crate::compare::Comparison;
use text::escaped;

const STYLE: &str = include_str!("report/style.css");

/// The page.
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
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{title} · gradus</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header><p class=\"kicker\">gradus evaluation · {kind}</p><h1>{title}</h1></header>\n\
         {body}\n</main>\n</body>\n</html>\n",
        kind = escaped(&evaluation.task_type),
        body = sections.concat(),
    )
}

#[cfg(test)]
mod tests;
