//! Failures and notes, and what computed the numbers.

use super::text::escaped;
use crate::bytes::ByteSize;
use crate::compare::Comparison;
use gradus_evaluators::CandidateResult;
use gradus_tasks::Owner;
use std::fmt::Write;

pub(super) fn render(comparison: &Comparison<'_>) -> String {
    let evaluation = comparison.evaluation;
    let mut out = String::new();
    let failures: Vec<_> = evaluation
        .candidates
        .iter()
        .filter_map(|candidate| match &candidate.result {
            CandidateResult::Failed(failure) => Some((candidate, failure)),
            CandidateResult::Scored(_) => None,
        })
        .collect();
    if !failures.is_empty() {
        out.push_str("<section><h2>Without a score</h2>\n");
        for (candidate, failure) in failures {
            let whose = match failure.owner {
                Owner::Submission => "the submission’s fault",
                Owner::Host => "the host’s fault",
                Owner::Bug => "a bug in gradus",
            };
            writeln!(
                out,
                "<div class=\"failure\"><p><strong>{}</strong> <span class=\"tag\">{whose}</span></p><pre>{}</pre>\
                 <p class=\"caption\">{}</p></div>",
                escaped(&candidate.name),
                failure.reason.lines().map(escaped).collect::<Vec<_>>().join("\n"),
                escaped(&candidate.source)
            )
            .expect("a string grows");
        }
        out.push_str("</section>\n");
    }
    let notes: Vec<String> = comparison
        .scored()
        .flat_map(|(_, candidate, score)| {
            score.notes.iter().map(|note| {
                format!(
                    "<li><strong>{}</strong>: {}</li>",
                    escaped(&candidate.name),
                    escaped(note)
                )
            })
        })
        .collect();
    if !notes.is_empty() {
        writeln!(
            out,
            "<section><h2>Notes</h2>\n<ul>{}</ul></section>",
            notes.join("\n")
        )
        .expect("a string grows");
    }
    let provenance = &evaluation.provenance;
    let mut sets: Vec<&str> = comparison
        .scored()
        .map(|(_, _, score)| score.eval_set_fingerprint.as_str())
        .collect();
    sets.sort_unstable();
    sets.dedup();
    let mut lengths: Vec<String> = comparison
        .scored()
        .map(|(_, _, score)| score.sequence_len.to_string())
        .collect();
    lengths.sort_unstable();
    lengths.dedup();
    let facts = [
        ("gradus", provenance.gradus_version.clone()),
        ("numerics", provenance.numerics.clone()),
        (
            "device",
            format!(
                "{}, {}, {} threads",
                provenance.device, provenance.isa, provenance.threads
            ),
        ),
        ("arithmetic", provenance.compute_dtype.clone()),
        (
            "memory limit",
            ByteSize(provenance.memory_bytes).to_string(),
        ),
        ("rule set", evaluation.rule_set.clone()),
        ("base parameters", evaluation.model_params_count.to_string()),
        (
            "longest row admitted",
            format!("{} tokens", lengths.join(", ")),
        ),
        ("task SHA-256", evaluation.task_hash.clone()),
        ("evaluated set", sets.join("\n")),
        ("schema", evaluation.schema.clone()),
    ];
    out.push_str("<section><h2>Provenance</h2>\n<dl>");
    for (name, value) in facts {
        let value: Vec<String> = value.lines().map(escaped).collect();
        write!(out, "<dt>{name}</dt><dd>{}</dd>", value.join("<br>")).expect("a string grows");
    }
    out.push_str(
        "</dl>\n<p class=\"caption\">Device, threads and memory change no bit of any score; scores are comparable with \
         <code>==</code> within one version of the numerics.</p></section>\n",
    );
    out
}
