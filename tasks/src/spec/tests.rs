use super::*;
use serde_json::json;

fn file() -> Value {
    json!({
        "version": 1, "id": "t1", "base_model": "Qwen/Qwen2.5-0.5B", "dataset": {"path": "test.json", "format": "json"},
        "dataset_type": {"field_instruction": "instruct", "field_output": "output"}
    })
}

fn read(value: &Value) -> Result<TaskSpec, SpecError> {
    TaskSpec::from_bytes(value.to_string().as_bytes())
}

#[test]
fn defaults_of_every_dataset_type_are_the_subnets() {
    let spec = read(&file()).unwrap();
    let DatasetType::Instruct(t) = &spec.dataset_type else {
        panic!("{:?}", spec.dataset_type)
    };
    assert_eq!(
        (t.system_prompt.as_deref(), t.system_format.as_deref()),
        (Some(""), Some("{system}"))
    );
    assert_eq!(t.field_system, None);
    let chat = DatasetType::from_value(json!({"chat_column": "conversations"})).unwrap();
    assert_eq!(
        serde_json::to_value(&chat).unwrap(),
        json!({"chat_template": "chatml", "chat_column": "conversations", "chat_role_field": "from",
               "chat_content_field": "value", "chat_user_reference": "user", "chat_assistant_reference": "assistant"})
    );
    let dpo = DatasetType::from_value(json!({"field_chosen": "c"})).unwrap();
    assert_eq!(
        serde_json::to_value(&dpo).unwrap(),
        json!({"field_prompt": null, "field_system": null, "field_chosen": "c", "field_rejected": null,
               "prompt_format": "{prompt}", "chosen_format": "{chosen}", "rejected_format": "{rejected}"})
    );
}

#[test]
fn distinctive_keys_decide_the_dataset_type() {
    let kind = |v: Value| task_type_of(&DatasetType::from_value(v).unwrap());
    assert_eq!(kind(json!({"environment_names": ["a"]})), TaskType::Env);
    assert_eq!(
        kind(
            json!({"field_prompt": "p", "reward_functions": [{"reward_func": "def f(): 1", "reward_weight": 0.5}]})
        ),
        TaskType::Grpo
    );
    assert_eq!(
        kind(json!({"field_prompt": "p", "extra_column": null})),
        TaskType::Grpo
    );
    assert_eq!(
        kind(json!({"field_prompt": "p", "field_rejected": "r"})),
        TaskType::Dpo
    );
    assert_eq!(kind(json!({"chat_column": "c"})), TaskType::Chat);
    assert_eq!(kind(json!({})), TaskType::Instruct);
}

#[test]
fn an_unknown_field_is_named_at_every_level() {
    for (pointer, key) in [
        ("", "trained_on_inputs"),
        ("/dataset", "url"),
        ("/dataset_type", "field_prompt"),
    ] {
        let mut value = file();
        value.pointer_mut(pointer).unwrap()[key] = json!(true);
        let error = read(&value).unwrap_err().to_string();
        assert!(error.contains(&format!("`{key}`")), "{error}");
    }
}

#[test]
fn the_hash_ignores_spelling_and_sees_content() {
    let spec = read(&file()).unwrap();
    let toml = r#"
        base_model = "Qwen/Qwen2.5-0.5B"
        id = "t1"
        version = 1
        task_type = "InstructTextTask"
        [dataset_type]
        field_output = "output"
        field_instruction = "instruct"
        [dataset]
        format = "json"
        path = "test.json"
    "#;
    let same = TaskSpec::from_bytes(toml.as_bytes()).unwrap();
    assert_eq!(spec, same);
    assert_eq!(spec.content_hash(), same.content_hash());
    let mut other = file();
    other["rule_set"] = json!("2025-12-12-86623e97");
    assert_ne!(read(&other).unwrap().content_hash(), spec.content_hash());
    assert_eq!(spec.content_hash().len(), 64);
}

#[test]
fn contradictions_and_ranges_are_refused() {
    let with = |key: &str, v: Value| {
        let mut value = file();
        value[key] = v;
        read(&value).unwrap_err().to_string()
    };
    assert!(with("task_type", json!("dpo")).contains("task_type is dpo"));
    assert!(with("version", json!(2)).contains("version is 2"));
    assert!(with("use_kl", json!(true)).contains("kl_coef is absent"));
    assert!(with("kl_coef", json!(-1.0)).contains("kl_coef is -1"));
    assert!(with("kl_coef", json!(1e308)).contains("0 to 1000"));
    assert!(with("sequence_len", json!(1)).contains("sequence_len is 1"));
    assert!(with("rule_set", json!("x")).contains("rule set"));
    assert!(with("base_model", json!("")).contains("base_model is empty"));
}

#[test]
fn a_preference_task_has_no_kl_term() {
    let mut value = file();
    value["dataset_type"] =
        json!({"field_prompt": "p", "field_chosen": "c", "field_rejected": "r"});
    assert!(read(&value).is_ok());
    value["use_kl"] = json!(true);
    value["kl_coef"] = json!(0.5);
    let error = read(&value).unwrap_err().to_string();
    assert!(error.contains("use_kl is true"), "{error}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_task() {
    let text = format!("\u{feff}{}", file());
    assert_eq!(
        TaskSpec::from_bytes(text.as_bytes()).unwrap(),
        read(&file()).unwrap()
    );
}

#[test]
fn a_train_request_becomes_a_task() {
    let request = json!({
        "model": "m", "task_id": "id", "hours_to_complete": 1.5, "expected_repo_name": null,
        "dataset": "https://example.org/d.json", "file_format": "s3", "use_kl": true, "kl_coef": 0.4,
        "dataset_type": {"chat_template": "chatml", "chat_column": "conversations", "chat_role_field": "from",
            "chat_content_field": "value", "chat_user_reference": "user", "chat_assistant_reference": "assistant"}
    });
    let spec = TaskSpec::from_train_request(request.to_string().as_bytes(), "").unwrap();
    assert_eq!(
        (spec.task_type, spec.use_kl, spec.kl_coef),
        (TaskType::Chat, true, Some(0.4))
    );
    assert_eq!(spec.dataset.format, DataFormat::Json);
    let mut hub = request;
    hub["file_format"] = json!("hf");
    assert!(TaskSpec::from_train_request(hub.to_string().as_bytes(), "").is_err());
}
