//! A chain of a few hundred lines, and what happens to intents on it: every fault, a kill at every step, at random.

mod answers;
mod audit;
mod cases;
mod drives;
mod effects;
mod files;
mod matrix;
mod memory;
mod proofs;
mod pruned;
mod rows;
mod run;
mod toy;
mod turns;
mod walk;

/// A journal of a commit and a reveal, and its records alone.
pub(crate) fn sample_journal() -> (Vec<u8>, Vec<u8>) {
    let plan = run::Plan::new(run::Way::Hash, toy::Fault::ForkLoss);
    let mut records = plan.run().records;
    for record in &mut records {
        if let super::Record::Attempt { attempt } = record {
            // Short, since a fuzzer's seeds are.
            attempt.extrinsic.0.truncate(3);
            attempt.hash = crate::Hash::of(&attempt.extrinsic.0);
        }
    }
    let (mut whole, mut sum) = super::journal::begin(&records[0]);
    let mut lines = Vec::new();
    for record in &records {
        lines.extend(serde_json::to_vec(record).expect("plain data"));
        lines.push(b'\n');
    }
    for record in &records[1..] {
        let (line, next) = super::journal::line(record, Some(&sum));
        whole.extend(line);
        sum = next;
    }
    (whole, lines)
}
