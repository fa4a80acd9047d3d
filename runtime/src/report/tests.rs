use super::render;
use crate::compare::Comparison;
use crate::testing::{evaluation, failed, realistic, scored};
use gradus_evaluators::{CandidateOutcome, CandidateResult, Evaluation};
use gradus_tasks::RuleSet;

fn page(candidates: Vec<CandidateOutcome>) -> String {
    page_of(&evaluation(candidates))
}

fn page_of(evaluation: &Evaluation) -> String {
    let rules = RuleSet::newest();
    let page = render(&Comparison::new(evaluation, &rules));
    well_formed(&page);
    page
}

/// Every tag is closed in order, every attribute quoted, and no bare `<` or `&` is left.
fn well_formed(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page
        .strip_prefix("<!doctype html>")
        .expect("a document type");
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("an open tag");
        let tag = &rest[start + 1..end];
        assert!(!tag.contains('<'), "a tag inside a tag: {tag}");
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .unwrap();
        assert!(
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()),
            "a bare <: {tag}"
        );
        assert_eq!(tag.matches('"').count() % 2, 0, "an open quote: {tag}");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order");
        } else if !tag.ends_with('/') && !["meta", "br"].contains(&name) {
            open.push(name);
        }
        rest = &rest[end + 1..];
    }
    assert_eq!(open, Vec::<&str>::new());
    for after in page.split('&').skip(1) {
        let entity = after.split(';').next().unwrap();
        assert!(
            ["amp", "lt", "gt", "quot", "#39"].contains(&entity),
            "a bare &: {}",
            &after[..after.len().min(20)]
        );
    }
}

#[test]
fn a_page_shows_every_part_and_fetches_nothing() {
    let page = page(vec![
        scored("long-run", &realistic(200, 0.0, 0.05, 1)),
        scored("short-run", &realistic(200, 0.03, 0.09, 2)),
        scored("other-data", &realistic(200, 0.4, 0.4, 3)),
        failed("cut-off"),
    ]);
    for part in [
        "Loss, and distance",
        "Would long-run take",
        "Rows won",
        "Losses of single rows",
        "Where the best",
        "Rows that tell",
        "Without a score",
        "Provenance",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for reference in [
        "http://", "https://", "src=", "href=", "url(", "@import", "<script", "<link", "<iframe",
    ] {
        assert!(!page.contains(reference), "{reference}");
    }
    if let Some(path) = std::env::var_os("GRADUS_WRITE_REPORT") {
        std::fs::write(path, page).unwrap();
    }
}

#[test]
fn hostile_text_stays_text() {
    let mut bad = failed("</style><img src=x onerror=alert(1)>");
    if let CandidateResult::Failed(failure) = &mut bad.result {
        failure.reason = "<script>alert(1)</script>\n\"'&\u{202e}".to_owned();
    }
    let mut noted = scored("\"><svg onload=alert(1)>", &realistic(30, 0.0, 0.1, 1));
    if let CandidateResult::Scored(score) = &mut noted.result {
        score.notes.push("</ul><b>".to_owned());
        score.is_finetune = false;
        score.finetune_note = Some("<i>".to_owned());
    }
    let mut evaluation = evaluation(vec![
        bad,
        noted,
        scored("'a&b'", &realistic(30, 0.1, 0.1, 2)),
    ]);
    evaluation.task_id = "<title>".to_owned();
    let page = page_of(&evaluation);
    for markup in ["<script", "<img", "<svg onload", "</ul><b>", "\u{202e}"] {
        assert!(!page.contains(markup), "{markup}");
    }
}

#[test]
fn sets_that_are_too_small_or_odd_for_plots_still_have_a_page() {
    page(vec![]);
    page(vec![failed("only")]);
    page(vec![scored("only", &[1.0])]);
    page(vec![scored("a", &[1.0]), scored("b", &[1.0])]);
    page(vec![scored("a", &[0.0, 0.0]), scored("b", &[0.0, 0.0])]);
    page(vec![
        scored("a", &[f64::NAN, 1.0]),
        scored("b", &[1.0, f64::NAN]),
    ]);
    page(vec![scored("a", &[f64::NAN]), scored("b", &[f64::NAN])]);
    page(vec![
        scored("a", &[1e300, -1e300]),
        scored("b", &[1e-300, 2.0]),
    ]);
    page(vec![
        scored("a", &[1.0, 2.0]),
        scored("b", &[1.0, 2.0, 3.0]),
    ]);
    let many = (0..40).map(|i| {
        scored(
            &format!("candidate-{i}"),
            &realistic(20, f64::from(i) * 0.01, 0.1, i as u64),
        )
    });
    page(many.collect());
}
