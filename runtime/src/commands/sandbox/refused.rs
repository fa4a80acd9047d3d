//! System calls that a job was refused, where it was started with `--record-refused`.

use super::tell::Teller;
use gradus_sandbox::refused::{RefusedCall, refused};
use gradus_sandbox::sandbox::Sandbox;

/// What the job `name` was refused; none where that is not on record.
pub(super) fn of(sandbox: &Sandbox, name: &str) -> Option<Vec<RefusedCall>> {
    refused(&sandbox.state().directory(name)).ok().flatten()
}

/// Says so, if there is something to say.
pub(super) fn tell(teller: Teller, sandbox: &Sandbox, name: &str) {
    for refused in of(sandbox, name).into_iter().flatten() {
        let number = refused.number.to_string();
        let call = refused.call.unwrap_or(&number);
        let first = refused.arguments.first().map(|arguments| {
            let words: Vec<String> = arguments.iter().map(|it| format!("{it:#x}")).collect();
            format!(", as {call}({})", words.join(", "))
        });
        teller.note(&format!(
            "refused: {call}, {} times, {}{}",
            refused.times,
            refused.answer,
            first.unwrap_or_default()
        ));
    }
}
