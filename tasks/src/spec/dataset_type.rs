//! How a data set's columns become prompts: the subnet's untagged union, told apart by distinctive keys.

use super::SpecError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Columns and formats of a data set. Serialises as the subnet writes it: without a tag.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum DatasetType {
    /// Environment names: rolled out, never scored on text.
    Env(EnvType),
    /// Prompts and reward functions: generated from, never scored on text.
    Grpo(GrpoType),
    /// Preference pairs.
    Dpo(DpoType),
    /// Conversations.
    Chat(ChatType),
    /// Instructions with an optional answer.
    Instruct(InstructType),
}

/// Instruct columns. `null` and absent mean the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstructType {
    /// System text of rows that have no system column.
    #[serde(default = "defaults::empty")]
    pub system_prompt: Option<String>,
    /// Format around the system text.
    #[serde(default = "defaults::system_format")]
    pub system_format: Option<String>,
    /// Column of the system text.
    #[serde(default)]
    pub field_system: Option<String>,
    /// Column of the instruction.
    #[serde(default)]
    pub field_instruction: Option<String>,
    /// Column of the input.
    #[serde(default)]
    pub field_input: Option<String>,
    /// Column of the answer; without it every token of the instruction is scored.
    #[serde(default)]
    pub field_output: Option<String>,
    /// Prompt when the input is not empty.
    #[serde(default)]
    pub format: Option<String>,
    /// Prompt when the input is empty.
    #[serde(default)]
    pub no_input_format: Option<String>,
    /// Not used by evaluation; carried because requests do.
    #[serde(default)]
    pub field: Option<String>,
}

/// Conversation columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatType {
    /// Template name, or `tokenizer_default`.
    #[serde(default = "defaults::chat_template")]
    pub chat_template: Option<String>,
    /// Column of the conversation.
    #[serde(default = "defaults::chat_column")]
    pub chat_column: Option<String>,
    /// Key of a message's role.
    #[serde(default = "defaults::chat_role_field")]
    pub chat_role_field: Option<String>,
    /// Key of a message's text.
    #[serde(default = "defaults::chat_content_field")]
    pub chat_content_field: Option<String>,
    /// What the data calls the user.
    #[serde(default = "defaults::user")]
    pub chat_user_reference: Option<String>,
    /// What the data calls the assistant.
    #[serde(default = "defaults::assistant")]
    pub chat_assistant_reference: Option<String>,
}

/// Preference columns. Evaluation uses the raw strings: the formats are carried, not applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpoType {
    /// Column of the prompt.
    #[serde(default)]
    pub field_prompt: Option<String>,
    /// Column of the system text; not used by evaluation.
    #[serde(default)]
    pub field_system: Option<String>,
    /// Column of the preferred completion.
    #[serde(default)]
    pub field_chosen: Option<String>,
    /// Column of the other completion.
    #[serde(default)]
    pub field_rejected: Option<String>,
    /// Not used by evaluation.
    #[serde(default = "defaults::prompt_format")]
    pub prompt_format: Option<String>,
    /// Not used by evaluation.
    #[serde(default = "defaults::chosen_format")]
    pub chosen_format: Option<String>,
    /// Not used by evaluation.
    #[serde(default = "defaults::rejected_format")]
    pub rejected_format: Option<String>,
}

/// One reward function of a GRPO task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardFunction {
    /// Name in the subnet's store.
    #[serde(default)]
    pub reward_id: Option<String>,
    /// Python source.
    pub reward_func: String,
    /// Weight, not negative.
    pub reward_weight: f64,
    /// Hash of the source.
    #[serde(default)]
    pub func_hash: Option<String>,
    /// Whether it fits any data set.
    #[serde(default)]
    pub is_generic: Option<bool>,
    /// Whether a person wrote it.
    #[serde(default)]
    pub is_manual: Option<bool>,
}

/// GRPO columns and rewards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpoType {
    /// Column of the prompt.
    #[serde(default)]
    pub field_prompt: Option<String>,
    /// Rewards and their weights.
    #[serde(default)]
    pub reward_functions: Option<Vec<RewardFunction>>,
    /// Column handed to the rewards.
    #[serde(default)]
    pub extra_column: Option<String>,
}

/// Environments of a rollout task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvType {
    /// Their names.
    #[serde(default)]
    pub environment_names: Option<Vec<String>>,
}

mod defaults {
    macro_rules! text {
        ($($name:ident = $value:literal;)*) => { $(pub(super) fn $name() -> Option<String> { Some($value.to_owned()) })* };
    }
    text! {
        empty = ""; system_format = "{system}";
        chat_template = "chatml"; chat_column = "conversations"; chat_role_field = "from"; chat_content_field = "value";
        user = "user"; assistant = "assistant";
        prompt_format = "{prompt}"; chosen_format = "{chosen}"; rejected_format = "{rejected}";
    }
}

impl DatasetType {
    /// Reads the union. The keys that decide, in this order: `environment_names`; `reward_functions` or
    /// `extra_column`; `field_chosen` or `field_rejected`; any `chat_...`; otherwise instruct.
    ///
    /// # Errors
    /// `DatasetType` names the field that does not belong.
    pub fn from_value(value: Value) -> Result<Self, SpecError> {
        let Some(map) = value.as_object() else {
            return Err(SpecError::DatasetType {
                kind: "any",
                message: format!("expected an object, found {value}"),
            });
        };
        let has = |key: &str| map.contains_key(key);
        fn read<T: serde::de::DeserializeOwned>(
            kind: &'static str,
            value: Value,
        ) -> Result<T, SpecError> {
            serde_json::from_value(value).map_err(|error| SpecError::DatasetType {
                kind,
                message: error.to_string(),
            })
        }
        if has("environment_names") {
            read("env", value).map(DatasetType::Env)
        } else if has("reward_functions") || has("extra_column") {
            let grpo: GrpoType = read("grpo", value)?;
            for (i, reward) in grpo.reward_functions.iter().flatten().enumerate() {
                if !(reward.reward_weight.is_finite() && reward.reward_weight >= 0.0) {
                    return Err(SpecError::DatasetType {
                        kind: "grpo",
                        message: format!(
                            "reward_functions[{i}].reward_weight is {}, expected 0 or more",
                            reward.reward_weight
                        ),
                    });
                }
            }
            Ok(DatasetType::Grpo(grpo))
        } else if has("field_chosen") || has("field_rejected") {
            read("dpo", value).map(DatasetType::Dpo)
        } else if map.keys().any(|key| key.starts_with("chat_")) {
            read("chat", value).map(DatasetType::Chat)
        } else {
            read("instruct", value).map(DatasetType::Instruct)
        }
    }
}

impl<'de> Deserialize<'de> for DatasetType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(value).map_err(serde::de::Error::custom)
    }
}
