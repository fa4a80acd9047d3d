//! What is to be evaluated: a versioned, strict, content-hashed description of one task.
//!
//! The file is JSON or TOML. It names the base model, the held-out data, how rows become prompts, and the rule
//! set; it never names candidates, so that one task has one hash whoever enters.

mod dataset_type;
mod train_request;

pub use dataset_type::{
    ChatType, DatasetType, DpoType, EnvType, GrpoType, InstructType, RewardFunction,
};

use crate::Owner;
use crate::canonical::{canonical_json, sha256_hex};
use crate::data::DataFormat;
use crate::rules::RuleSet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the task schema that this program reads and writes.
pub const TASK_SCHEMA_VERSION: u32 = 1;

/// What kind of task, which decides how candidates are scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskType {
    /// Cross-entropy of answers to instructions, or of whole texts.
    #[serde(alias = "InstructTextTask")]
    Instruct,
    /// Cross-entropy of the assistant's turns.
    #[serde(alias = "ChatTask")]
    Chat,
    /// Preference loss against the base model.
    #[serde(alias = "DpoTask")]
    Dpo,
    /// Rewards of generations.
    #[serde(alias = "GrpoTask")]
    Grpo,
    /// Returns of rollouts.
    #[serde(alias = "EnvTask")]
    Env,
}

impl TaskType {
    /// The name used in files.
    pub fn name(self) -> &'static str {
        match self {
            TaskType::Instruct => "instruct",
            TaskType::Chat => "chat",
            TaskType::Dpo => "dpo",
            TaskType::Grpo => "grpo",
            TaskType::Env => "env",
        }
    }
}

/// Where the held-out rows are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetRef {
    /// File, relative to the task file.
    pub path: String,
    /// How it is written.
    pub format: DataFormat,
    /// SHA-256 of the file, lower-case hexadecimal. If given, another file is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// One task. Every default is resolved on reading, so that the hash covers what will be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskSpec {
    /// Schema version.
    pub version: u32,
    /// Name of the task.
    pub id: String,
    /// Kind of task.
    pub task_type: TaskType,
    /// Directory or model id of the base.
    pub base_model: String,
    /// The held-out rows.
    pub dataset: DatasetRef,
    /// How rows become prompts.
    pub dataset_type: DatasetType,
    /// Whether the score carries a KL term against the base.
    pub use_kl: bool,
    /// Weight of the KL term.
    pub kl_coef: Option<f64>,
    /// Replaces the rule set's sequence length.
    pub sequence_len: Option<u64>,
    /// Name of the rule set.
    pub rule_set: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TaskFile {
    version: u32,
    id: String,
    #[serde(default)]
    task_type: Option<TaskType>,
    base_model: String,
    dataset: DatasetRef,
    dataset_type: Value,
    #[serde(default)]
    use_kl: bool,
    #[serde(default)]
    kl_coef: Option<f64>,
    #[serde(default)]
    sequence_len: Option<u64>,
    #[serde(default)]
    rule_set: Option<String>,
}

/// Why a task could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Not UTF-8, JSON or TOML, or not this schema.
    #[error("task file: {0}")]
    Syntax(String),
    /// Another version of the schema.
    #[error("task file: version is {found}, this program reads {TASK_SCHEMA_VERSION}")]
    Version {
        /// What the file says.
        found: u32,
    },
    /// The `dataset_type` object does not fit its kind.
    #[error("dataset_type, read as {kind}: {message}")]
    DatasetType {
        /// What the distinctive keys said it is.
        kind: &'static str,
        /// What does not fit.
        message: String,
    },
    /// `task_type` contradicts `dataset_type`.
    #[error(
        "task_type is {said}, but dataset_type has the fields of {found}\nhelp: correct one of them, or leave task_type out"
    )]
    TypeMismatch {
        /// `task_type`.
        said: &'static str,
        /// What `dataset_type` is.
        found: &'static str,
    },
    /// A value is out of its range.
    #[error("{field} is {found}, expected {expected}")]
    OutOfRange {
        /// Which field.
        field: &'static str,
        /// Its value.
        found: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// The rule set does not exist.
    #[error("task file names a rule set that is not there")]
    RuleSet(#[source] crate::rules::RuleSetError),
}

impl SpecError {
    /// Whose fault: a task comes from the operator.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

/// Far above every coefficient in use; below it no loss overflows.
const KL_COEF_MAX: f64 = 1000.0;

impl TaskSpec {
    /// Reads a task file: JSON if its first character is `{`, else TOML.
    ///
    /// # Errors
    /// Names the first field that is unknown, missing or out of range.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SpecError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            SpecError::Syntax(format!("not UTF-8 from byte {}", error.valid_up_to()))
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let file: TaskFile = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| SpecError::Syntax(error.to_string()))?
        } else {
            toml::from_str(text)
                .map_err(|error| SpecError::Syntax(error.to_string().trim_end().to_owned()))?
        };
        Self::from_file(file)
    }

    fn from_file(file: TaskFile) -> Result<Self, SpecError> {
        if file.version != TASK_SCHEMA_VERSION {
            return Err(SpecError::Version {
                found: file.version,
            });
        }
        let dataset_type = DatasetType::from_value(file.dataset_type)?;
        let found = task_type_of(&dataset_type);
        let task_type = file.task_type.unwrap_or(found);
        let spec = Self {
            version: file.version,
            id: file.id,
            task_type,
            base_model: file.base_model,
            dataset: file.dataset,
            dataset_type,
            use_kl: file.use_kl,
            kl_coef: file.kl_coef,
            sequence_len: file.sequence_len,
            rule_set: file
                .rule_set
                .unwrap_or_else(|| RuleSet::newest_name().to_owned()),
        };
        spec.check()?;
        Ok(spec)
    }

    fn check(&self) -> Result<(), SpecError> {
        let refuse = |field, found: String, expected| {
            Err(SpecError::OutOfRange {
                field,
                found,
                expected,
            })
        };
        let found = task_type_of(&self.dataset_type);
        if found != self.task_type {
            return Err(SpecError::TypeMismatch {
                said: self.task_type.name(),
                found: found.name(),
            });
        }
        for (field, value) in [
            ("id", &self.id),
            ("base_model", &self.base_model),
            ("dataset.path", &self.dataset.path),
        ] {
            if value.is_empty() {
                return refuse(field, "empty".to_owned(), "a name");
            }
        }
        match self.kl_coef {
            Some(c) if !(0.0..=KL_COEF_MAX).contains(&c) => {
                return refuse("kl_coef", c.to_string(), "a number from 0 to 1000");
            }
            None if self.use_kl => {
                return refuse(
                    "kl_coef",
                    "absent".to_owned(),
                    "a number, because use_kl is set",
                );
            }
            _ => {}
        }
        if self.use_kl && self.task_type == TaskType::Dpo {
            return refuse(
                "use_kl",
                "true".to_owned(),
                "absent or false: a preference task has no KL term",
            );
        }
        if let Some(len) = self.sequence_len
            && !(2..=1 << 30).contains(&len)
        {
            return refuse("sequence_len", len.to_string(), "2 to 2^30");
        }
        if let Some(hash) = &self.dataset.sha256
            && !(hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        {
            return refuse(
                "dataset.sha256",
                hash.clone(),
                "64 lower-case hexadecimal digits",
            );
        }
        RuleSet::named(&self.rule_set).map_err(SpecError::RuleSet)?;
        Ok(())
    }

    /// SHA-256 of the canonical JSON of the resolved task.
    pub fn content_hash(&self) -> String {
        let value =
            serde_json::to_value(self).expect("a task has only string keys and finite numbers");
        sha256_hex(canonical_json(&value).as_bytes())
    }

    /// The rule set that the task names.
    ///
    /// # Errors
    /// `RuleSet` if there is none of that name.
    pub fn rules(&self) -> Result<RuleSet, SpecError> {
        RuleSet::named(&self.rule_set).map_err(SpecError::RuleSet)
    }
}

fn task_type_of(dataset_type: &DatasetType) -> TaskType {
    match dataset_type {
        DatasetType::Env(_) => TaskType::Env,
        DatasetType::Grpo(_) => TaskType::Grpo,
        DatasetType::Dpo(_) => TaskType::Dpo,
        DatasetType::Chat(_) => TaskType::Chat,
        DatasetType::Instruct(_) => TaskType::Instruct,
    }
}

#[cfg(test)]
mod tests;
