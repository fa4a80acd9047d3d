//! The JSON files: our own, and the one that the subnet's evaluator writes.
//!
//! JSON has no NaN. Python writes the bare word `NaN`, which other readers refuse; both files say `null` instead.

use crate::compare::{Comparison, ComparisonRecord};
use gradus_evaluators::{CandidateResult, Evaluation, Plan, Score};
use serde::Serialize;
use serde_json::{Map, Value};

/// An [`Evaluation`] and what follows from it. A reader of `Evaluation` can read it.
#[derive(Serialize)]
struct ResultFile<'a> {
    #[serde(flatten)]
    evaluation: &'a Evaluation,
    comparison: ComparisonRecord,
}

/// Our result file.
pub fn ours(comparison: &Comparison<'_>) -> Vec<u8> {
    let file = ResultFile {
        evaluation: comparison.evaluation,
        comparison: comparison.record(),
    };
    lines(&file)
}

/// What `--explain` prints, for programs.
pub fn plan(plan: &Plan) -> Vec<u8> {
    lines(plan)
}

/// The result file of the subnet's evaluator: by candidate its result, or a text that says why there is none; and
/// `model_params_count`.
pub fn subnets(evaluation: &Evaluation) -> Vec<u8> {
    let mut file = Map::new();
    for candidate in &evaluation.candidates {
        let result = match &candidate.result {
            CandidateResult::Scored(score) => subnet_score(score),
            CandidateResult::Failed(failure) => Value::String(failure.reason.clone()),
        };
        file.insert(candidate.name.clone(), result);
    }
    file.insert(
        "model_params_count".to_owned(),
        evaluation.model_params_count.into(),
    );
    lines(&file)
}

fn subnet_score(score: &Score) -> Value {
    let mut fields = Map::new();
    let mut field = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    field("is_finetune", score.is_finetune.into());
    field("eval_loss", score.eval_loss.into());
    if let Some(raw) = score.eval_loss_raw {
        field("eval_loss_raw", raw.into());
    }
    if let Some(kl) = score.kl_divergence {
        field("kl_divergence", kl.into());
    }
    field(
        "per_example_losses",
        score.per_example_losses.clone().into(),
    );
    field(
        "eval_set_fingerprint",
        score.eval_set_fingerprint.clone().into(),
    );
    Value::Object(fields)
}

fn lines(value: &impl Serialize) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(value).expect("all keys are text and a vector takes all bytes");
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{evaluation, failed, scored};
    use gradus_tasks::RuleSet;

    #[test]
    fn our_file_reads_back_as_the_evaluation_with_every_bit() {
        let losses = [0.1 + 0.2, 1.0 / 3.0, f64::NAN];
        let mut original = evaluation(vec![scored("a", &losses), failed("b")]);
        if let CandidateResult::Scored(score) = &mut original.candidates[0].result {
            score.eval_loss = 0.1 + 0.2;
        }
        let rules = RuleSet::newest();
        let bytes = ours(&Comparison::new(&original, &rules));
        let read: Evaluation = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            serde_json::to_value(&read).unwrap(),
            serde_json::to_value(&original).unwrap()
        );
        let CandidateResult::Scored(score) = &read.candidates[0].result else {
            panic!("scored")
        };
        assert_eq!(
            score.per_example_losses,
            [Some(0.1 + 0.2), Some(1.0 / 3.0), None]
        );
    }

    #[test]
    fn the_subnets_file_has_its_keys_and_a_text_for_a_failure() {
        let mut original = evaluation(vec![scored("a", &[1.0, f64::NAN]), failed("b")]);
        let CandidateResult::Scored(score) = &mut original.candidates[0].result else {
            panic!("scored")
        };
        score.eval_loss = f64::NAN;
        let file: Value = serde_json::from_slice(&subnets(&original)).unwrap();
        let keys: Vec<_> = file["a"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            keys,
            [
                "is_finetune",
                "eval_loss",
                "per_example_losses",
                "eval_set_fingerprint"
            ]
        );
        assert_eq!(file["a"]["eval_loss"], Value::Null);
        assert_eq!(
            file["a"]["per_example_losses"],
            serde_json::json!([1.0, null])
        );
        assert!(file["b"].as_str().unwrap().contains("header is cut off"));
        assert_eq!(file["model_params_count"], 1_234_567);
        let CandidateResult::Scored(score) = &mut original.candidates[0].result else {
            panic!("scored")
        };
        (score.eval_loss_raw, score.kl_divergence) = (Some(1.0), Some(0.5));
        let file: Value = serde_json::from_slice(&subnets(&original)).unwrap();
        assert_eq!(
            (&file["a"]["eval_loss_raw"], &file["a"]["kl_divergence"]),
            (&1.0.into(), &0.5.into())
        );
    }
}
