use super::*;
use crate::tokenizer::TokenizerFiles;
use crate::{DataError, Owner};
use serde_json::json;

/// A tokenizer whose words are the letters and a few marks: one token a character.
fn tokenizer(config: Value) -> TextTokenizer {
    let mut vocab = serde_json::Map::new();
    for c in "?</s>BOS abcdefghijklmnopqrtuvwxyz\n".chars() {
        let id = vocab.len();
        vocab.entry(c.to_string()).or_insert(json!(id));
    }
    let eos = vocab.len();
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null, "decoder": null,
        "added_tokens": [{"id": eos, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,
                          "normalized": false, "special": true}],
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": false},
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "?"}
    });
    TextTokenizer::from_bytes(TokenizerFiles {
        tokenizer_json: json.to_string().as_bytes(),
        tokenizer_config: Some(config.to_string().as_bytes()),
        ..Default::default()
    })
    .unwrap()
}

fn usual() -> TextTokenizer {
    tokenizer(json!({"eos_token": "</s>"}))
}

fn run(
    tokenizer: &TextTokenizer,
    dataset_type: Value,
    rows: Value,
    max_position: Option<u64>,
) -> Result<Prepared, PrepareError> {
    let task = json!({"version": 1, "id": "t", "base_model": "m", "dataset": {"path": "d", "format": "json"},
        "dataset_type": dataset_type, "sequence_len": 8});
    let task = TaskSpec::from_bytes(task.to_string().as_bytes()).unwrap();
    let rows = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.as_object().unwrap().clone())
        .collect();
    prepare(
        &task,
        &RuleSet::newest(),
        &DataSet::from_rows("d", rows),
        tokenizer,
        max_position,
    )
}

fn sft(prepared: Prepared) -> EvalSet {
    match prepared {
        Prepared::Sft(set) => set,
        other => panic!("{other:?}"),
    }
}

fn instruct() -> Value {
    json!({"field_instruction": "q", "field_output": "a"})
}

#[test]
fn an_empty_data_set_is_refused_and_one_row_is_enough() {
    assert!(matches!(
        run(&usual(), instruct(), json!([]), None),
        Err(PrepareError::Data(DataError::NoRows { .. }))
    ));
    let set = sft(run(&usual(), instruct(), json!([{"q": "ab", "a": "c"}]), None).unwrap());
    assert_eq!(
        (set.rows.len(), set.sequence_len, set.dropped.samples),
        (1, 8, 1)
    );
    let eos = usual().eos_id().unwrap();
    assert_eq!(set.rows[0].ids.last(), Some(&eos));
    assert_eq!(set.rows[0].labels[..2], [IGNORE, IGNORE]);
    assert_eq!(
        set.rows[0].labels[2..],
        [set.rows[0].ids[2] as i32, eos as i32]
    );
}

const IGNORE: i32 = crate::prompt::IGNORE_LABEL;

#[test]
fn duplicate_rows_are_kept_and_equal_lengths_keep_their_order() {
    let rows = json!([{"q": "abcd", "a": "x"}, {"q": "b", "a": "x"}, {"q": "abcd", "a": "x"}, {"q": "a", "a": "x"}]);
    let set = sft(run(&usual(), instruct(), rows, None).unwrap());
    assert_eq!(
        set.rows
            .iter()
            .map(|row| row.source_row)
            .collect::<Vec<_>>(),
        [1, 3, 0, 2]
    );
    assert_eq!(set.rows[2].ids, set.rows[3].ids);
}

#[test]
fn rows_longer_than_the_length_double_it_and_past_the_cap_are_an_error() {
    let rows = json!([{"q": "abcdefghijk", "a": "x"}]);
    let set = sft(run(&usual(), instruct(), rows.clone(), None).unwrap());
    assert_eq!(set.sequence_len, 16);
    match run(&usual(), instruct(), rows, Some(10)) {
        Err(PrepareError::NothingLeft { tried, drops }) => {
            assert_eq!(tried, [5, 10]);
            assert_eq!((drops.rows, drops.too_long, drops.samples), (1, 1, 0));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn rows_without_a_label_are_dropped_and_counted() {
    let rows = json!([{"q": "ab", "a": ""}, {"q": "ab", "a": "c"}, {"q": "", "a": ""}, {"q": "abcdefghi", "a": "c"}]);
    let set = sft(run(&usual(), instruct(), rows, None).unwrap());
    assert_eq!(
        (
            set.dropped.unlabelled,
            set.dropped.too_short,
            set.dropped.too_long
        ),
        (1, 1, 1)
    );
    assert_eq!(
        set.dropped.to_string(),
        "4 rows read, 1 scored, 1 too long, 1 too short, 1 without a label"
    );
}

#[test]
fn a_label_on_the_first_position_only_is_not_scored() {
    let set = sft(run(
        &usual(),
        json!({"field_instruction": "q"}),
        json!([{"q": "abc"}]),
        None,
    )
    .unwrap());
    assert_eq!((set.rows[0].num_labels(), set.rows[0].num_scored()), (4, 3));
    let row = EvalRow {
        ids: vec![1, 2],
        labels: vec![1, IGNORE],
        source_row: 0,
    };
    assert_eq!((row.num_labels(), row.num_scored()), (1, 0));
    // A template that ends its only answer before the text that follows leaves such a row.
    let own = tokenizer(json!({"eos_token": "</s>", "chat_template":
        "{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content }}{% else %}ab{% endif %}{% endfor %}"}));
    let chat = json!({"chat_column": "c", "chat_template": "tokenizer_default"});
    let rows =
        json!([{"c": [{"from": "assistant", "value": "x"}, {"from": "user", "value": "y"}]}]);
    match run(&own, chat, rows, Some(8)) {
        Err(PrepareError::NothingLeft { drops, .. }) => assert_eq!(drops.label_on_first_only, 1),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_completion_is_split_and_its_last_piece_of_one_token_drops() {
    let rows = json!([{"q": "abcdefghijklmnop"}, {"q": "abcdefg"}]);
    let set = sft(run(&usual(), json!({"field_instruction": "q"}), rows, None).unwrap());
    let lens: Vec<_> = set
        .rows
        .iter()
        .map(|row| (row.source_row, row.ids.len()))
        .collect();
    assert_eq!(lens, [(0, 8), (0, 8), (1, 8)]);
    assert_eq!(set.dropped.too_short, 1);
}

#[test]
fn a_tokenizer_without_eos_is_refused_where_samples_end_with_it() {
    let bare = tokenizer(json!({}));
    assert_eq!(bare.eos_id(), None);
    let error = run(&bare, instruct(), json!([{"q": "a", "a": "b"}]), None).unwrap_err();
    assert!(error.to_string().contains("no EOS token"), "{error}");
    assert_eq!(error.owner(), Owner::Host);
    let pair = json!([{"prompt": "a", "chosen": "b", "rejected": "c"}]);
    let dpo = json!({"field_chosen": "chosen", "field_rejected": "rejected"});
    assert!(
        matches!(run(&bare, dpo, pair, None), Ok(Prepared::Dpo(set)) if set.pairs[0].chosen.len() == 2)
    );
}

#[test]
fn padding_falls_back_to_eos() {
    let tokenizer = usual();
    assert_eq!(tokenizer.special_tokens()["pad_token"], "</s>");
}

#[test]
fn a_pair_whose_completion_is_cut_away_is_marked() {
    let rows = json!([{"prompt": "abcdefgh", "chosen": "x", "rejected": "yz"}, {"prompt": "ab", "chosen": "x", "rejected": "yz"}]);
    let dpo = json!({"field_chosen": "chosen", "field_rejected": "rejected"});
    let Ok(Prepared::Dpo(set)) = run(&usual(), dpo.clone(), rows.clone(), Some(4)) else {
        panic!("not pairs")
    };
    let cut: Vec<_> = set
        .pairs
        .iter()
        .map(|p| (p.prompt_len, p.chosen_cut, p.rejected_cut))
        .collect();
    assert_eq!(cut, [(4, true, true), (2, false, false)]);
    assert_eq!(
        (set.max_length, set.beta, set.pairs[1].rejected.len()),
        (4, 0.1, 4)
    );
    let Ok(Prepared::Dpo(other)) = run(&usual(), dpo, rows, None) else {
        panic!("not pairs")
    };
    assert_eq!(other.max_length, 8192);
    assert_ne!(set.fingerprint, other.fingerprint);
}

#[test]
fn the_fingerprint_changes_exactly_with_the_set() {
    let print = |rows: Value, p| {
        run(&usual(), instruct(), rows, p)
            .unwrap()
            .fingerprint()
            .to_owned()
    };
    let rows = json!([{"q": "ab", "a": "c"}, {"q": "abcde", "a": "c"}]);
    assert_eq!(print(rows.clone(), None), print(rows.clone(), Some(4096)));
    assert_ne!(print(rows.clone(), None), print(rows, Some(8)));
    let moved = [
        json!([{"q": "ab", "a": "c"}]),
        json!([{"q": "a", "a": "bc"}]),
    ];
    assert_ne!(print(moved[0].clone(), None), print(moved[1].clone(), None));
}

#[test]
fn tasks_that_are_not_scored_on_texts_are_refused_by_name() {
    let error = run(
        &usual(),
        json!({"environment_names": ["chess"]}),
        json!([{}]),
        None,
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "task t is a env task, which is not scored by a loss on given texts"
    );
    let grpo = json!({"field_prompt": "p", "reward_functions": []});
    assert!(matches!(
        run(&usual(), grpo, json!([{}]), None),
        Err(PrepareError::NotATextLoss { kind: "grpo", .. })
    ));
}

#[test]
fn templates_and_conversations_that_do_not_fit_name_what_and_where() {
    let talk =
        json!([{"c": [{"from": "user", "value": "x"}, {"from": "assistant", "value": "y"}]}]);
    let chat = |name: &str| json!({"chat_column": "c", "chat_template": name});
    let message = |tokenizer: &TextTokenizer, name: &str| {
        let error = run(tokenizer, chat(name), talk.clone(), None).unwrap_err();
        let cause = std::error::Error::source(&error)
            .map(ToString::to_string)
            .unwrap_or_default();
        format!("{error}: {cause}")
    };
    assert!(message(&usual(), "nonesuch").contains("no chat template is called nonesuch"));
    assert!(message(&usual(), "tokenizer_default").contains("the tokenizer has none"));
    let raising =
        tokenizer(json!({"eos_token": "</s>", "chat_template": "{{ raise_exception('no') }}"}));
    assert_eq!(
        message(&raising, ""),
        "row 1 cannot be rendered: chat template refuses the conversation: no"
    );
    assert!(
        run(
            &usual(),
            chat("tokenizer_default_fallback_chatml"),
            talk.clone(),
            None
        )
        .is_ok()
    );
}

/// A conversation of that many turns of one character, and a template that is cheap to render.
fn long_talk(turns: usize, model_max_length: Option<u64>) -> Result<EvalSet, PrepareError> {
    let own = tokenizer(
        json!({"eos_token": "</s>", "model_max_length": model_max_length, "chat_template":
        "{% for m in messages %}{{ m.content }}{% endfor %}"}),
    );
    let turns: Vec<Value> = (0..turns)
        .map(|i| if i % 2 == 0 { "user" } else { "assistant" })
        .map(|role| json!({"from": role, "value": "x"}))
        .collect();
    let short = json!([{"from": "user", "value": "x"}, {"from": "assistant", "value": "y"}]);
    let chat = json!({"chat_column": "c", "chat_template": "tokenizer_default"});
    let rows = json!([{"c": short}, {"c": turns}]);
    let started = std::time::Instant::now();
    let prepared = run(&own, chat, rows, None);
    assert!(started.elapsed() < std::time::Duration::from_secs(30));
    prepared.map(sft)
}

#[test]
fn a_conversation_longer_than_any_length_drops_without_a_search_for_its_turns() {
    let set = long_talk(20_000, Some(8192)).unwrap();
    assert_eq!((set.rows.len(), set.dropped.too_long), (1, 1));
}

#[test]
fn a_conversation_of_too_many_turns_is_refused_by_its_row() {
    let error = long_talk(20_000, None).unwrap_err().to_string();
    assert!(
        error.starts_with("row 2: ") && error.contains("20000 turns"),
        "{error}"
    );
    assert!(long_talk(1_000, None).is_ok());
}

#[test]
fn tokenizer_files_that_do_not_fit_are_named() {
    let message = |json: &[u8], config: Option<&[u8]>| {
        TextTokenizer::from_bytes(TokenizerFiles {
            tokenizer_json: json,
            tokenizer_config: config,
            ..Default::default()
        })
        .unwrap_err()
        .to_string()
    };
    let good = br#"{"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}"#;
    assert!(message(b"{", None).starts_with("tokenizer.json: "));
    assert!(message(b"\xff", None).starts_with("tokenizer.json: "));
    assert!(message(good, Some(b"[]")).starts_with("tokenizer_config.json: expected an object"));
    let config = br#"{"added_tokens_decoder": {"x": "y"}}"#;
    assert!(message(good, Some(config)).contains("added_tokens_decoder: expected an id, found x"));
}
