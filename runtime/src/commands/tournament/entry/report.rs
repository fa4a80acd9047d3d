//! The decision as JSON for programs, version 1.
//!
//! | part | is |
//! |---|---|
//! | `enrolled` | everybody who is in now, as the next call's file lists them |
//! | `refused` | who is not: a word, the reason, what to do, whose fault |
//! | `fees` | events to add to the ledger |
//! | `copies`, `notes` | clusters of copies; what to know besides |
//! | `field`, `start` | who plays or what it waits for; when it may start |
//! | `checks` | what the checker said and printed in this call |

use super::find::Check;
use gradus_tasks::entry::file::EnrolledEntry;
use gradus_tasks::entry::{CheckVerdict, Decision, EntryFile, Field, Refused, Start};
use serde_json::{Value, json};

pub(super) fn text(
    file: &EntryFile,
    decision: &Decision,
    start: &Start,
    checks: &[Check],
) -> String {
    let admitted = decision.admitted.iter().map(EnrolledEntry::from);
    let enrolled: Vec<EnrolledEntry> = file.enrolled.iter().cloned().chain(admitted).collect();
    let notes: Vec<Value> = (decision.notes.iter())
        .map(|note| json!({"note": note.name(), "text": note.to_string()}))
        .collect();
    let report = json!({
        "version": 1,
        "tournament_id": file.tournament_id,
        "tournament_type": file.tournament_type,
        "rules": file.rules,
        "now_unix_s": file.now_unix_s,
        "enrolled": enrolled,
        "refused": decision.refused.iter().map(refused).collect::<Vec<_>>(),
        "fees": decision.fees,
        "copies": decision.copies,
        "notes": notes,
        "field": field(&decision.field),
        "start": start,
        "checks": checks.iter().map(check).collect::<Vec<_>>(),
    });
    format!("{report:#}\n")
}

fn refused(refused: &Refused) -> Value {
    let message = refused.refusal.to_string();
    let (reason, help) = match message.split_once("\nhelp: ") {
        Some((reason, help)) => (reason, Some(help)),
        None => (message.as_str(), None),
    };
    json!({
        "hotkey": refused.hotkey,
        "why": refused.refusal.name(),
        "reason": reason,
        "help": help,
        "owner": refused.refusal.owner().to_string(),
    })
}

fn field(field: &Field) -> Value {
    match field {
        Field::Ready { bracket } => json!({"state": "ready", "bracket": bracket}),
        Field::Waits {
            entrants,
            field_min,
            until_unix_s,
        } => json!({
            "state": "waits",
            "entrants": entrants,
            "field_min": field_min,
            "until_unix_s": until_unix_s,
        }),
        Field::Stuck { bracket, least } => {
            json!({"state": "stuck", "bracket": bracket, "least": least})
        }
    }
}

fn check(check: &Check) -> Value {
    let verdict = match check.verdict {
        CheckVerdict::Clean => json!({"verdict": "clean"}),
        CheckVerdict::Rejected { code } => json!({"verdict": "rejected", "code": code}),
        CheckVerdict::TimedOut { limit_ms } => {
            json!({"verdict": "timed_out", "limit_ms": limit_ms})
        }
    };
    json!({
        "hotkey": check.subject.hotkey(),
        "repository": check.subject.repository(),
        "commit": check.subject.commit(),
        "obfuscation": verdict,
        "output": check.output,
    })
}
