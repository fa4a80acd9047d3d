//! A task out of a training request, as the subnet's trainer API carries it.

use super::{DatasetRef, DatasetType, SpecError, TASK_SCHEMA_VERSION, TaskSpec, task_type_of};
use crate::data::DataFormat;
use crate::rules::RuleSet;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainRequestText {
    model: String,
    task_id: String,
    #[serde(rename = "hours_to_complete")]
    _hours_to_complete: f64,
    #[serde(default, rename = "expected_repo_name")]
    _expected_repo_name: Option<String>,
    #[serde(default, rename = "baseline_stats")]
    _baseline_stats: Option<Value>,
    dataset: String,
    dataset_type: Value,
    file_format: String,
    #[serde(default)]
    use_kl: bool,
    #[serde(default)]
    kl_coef: Option<f64>,
}

impl TaskSpec {
    /// Reads the text request of the trainer API. `file_format` may be `json`, `csv`, or `s3`, which is a link
    /// to a JSON file; `hf` names a hub data set, not a file, and is refused.
    ///
    /// # Errors
    /// As [`TaskSpec::from_bytes`].
    pub fn from_train_request(bytes: &[u8], rule_set: &str) -> Result<Self, SpecError> {
        let request: TrainRequestText =
            serde_json::from_slice(bytes).map_err(|error| SpecError::Syntax(error.to_string()))?;
        let format = match request.file_format.as_str() {
            "json" | "s3" => DataFormat::Json,
            "csv" => DataFormat::Csv,
            _ => {
                return Err(SpecError::OutOfRange {
                    field: "file_format",
                    found: request.file_format,
                    expected: "json, s3 or csv; a hub data set has to be exported to a file first",
                });
            }
        };
        let dataset_type = DatasetType::from_value(request.dataset_type)?;
        let rule_set = if rule_set.is_empty() {
            RuleSet::newest_name()
        } else {
            rule_set
        };
        let spec = Self {
            version: TASK_SCHEMA_VERSION,
            id: request.task_id,
            task_type: task_type_of(&dataset_type),
            base_model: request.model,
            dataset: DatasetRef {
                path: request.dataset,
                format,
                sha256: None,
            },
            dataset_type,
            use_kl: request.use_kl,
            kl_coef: request.kl_coef,
            sequence_len: None,
            rule_set: rule_set.to_owned(),
        };
        spec.check()?;
        Ok(spec)
    }
}
