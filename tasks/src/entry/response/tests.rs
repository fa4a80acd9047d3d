use super::*;
use crate::entry::fuzzing;
use crate::rules::RuleSet;
use serde_json::{Value, json};

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";
const SECRET: &str = "github_pat_11SECRETSECRETSECRET";

fn answer() -> Value {
    json!({
        "github_repo": "https://github.com/Ann/trainer.git", "commit_hash": SHA, "github_token": SECRET,
        "requested_datasets": ["a/b", "c/d"]
    })
}

fn read(value: &Value) -> Result<TrainingRepoResponse, ResponseError> {
    TrainingRepoResponse::from_json(value.to_string().as_bytes(), ExtraFields::Ignored)
}

fn with(field: &str, value: Value) -> Value {
    let mut changed = answer();
    changed[field] = value;
    changed
}

#[test]
fn the_four_fields_are_read_and_the_last_two_may_be_absent_or_null() {
    let full = read(&answer()).unwrap();
    assert_eq!(full.repository.url(), "https://github.com/Ann/trainer");
    assert_eq!(full.repository.account(), "ann");
    assert_eq!(
        full.commit(CommitRule::Sha),
        Ok(Commit::Sha(SHA.to_owned()))
    );
    assert_eq!(full.github_token.as_ref().unwrap().expose(), SECRET);
    assert_eq!(full.requested_datasets, ["a/b", "c/d"]);
    let two = json!({"github_repo": "https://github.com/a/b", "commit_hash": SHA});
    let null = json!({
        "github_repo": "https://github.com/a/b", "commit_hash": SHA, "github_token": null, "requested_datasets": null
    });
    let empty = json!({
        "github_repo": "https://github.com/a/b", "commit_hash": SHA, "github_token": "", "requested_datasets": []
    });
    assert_eq!(read(&two), read(&null));
    assert_eq!(read(&two), read(&empty));
    assert_eq!(read(&two).unwrap().github_token, None);
}

#[test]
fn a_commit_is_40_hexadecimal_digits_and_in_december_2025_main_too() {
    let commit = |text: &str, rule| {
        read(&with("commit_hash", json!(text)))
            .unwrap()
            .commit(rule)
    };
    let upper = commit(&SHA.to_uppercase(), CommitRule::Sha);
    assert_eq!(upper, Ok(Commit::Sha(SHA.to_owned())));
    let long = format!("{SHA}0");
    let wide = format!("{}é", &SHA[..38]);
    for text in [
        "main",
        "HEAD",
        &SHA[1..],
        &long,
        &wide,
        &format!(" {}", &SHA[1..]),
    ] {
        let error = commit(text, CommitRule::Sha).unwrap_err();
        assert!(
            error.to_string().contains("40 hexadecimal digits"),
            "{error}"
        );
        assert_eq!(commit(text, CommitRule::ShaOrMain).is_ok(), text == "main");
    }
    let [old, new] = RuleSet::names()[..] else {
        panic!("two sets");
    };
    let rule = |name| RuleSet::named(name).unwrap().entry.commit;
    assert_eq!(
        (rule(old), rule(new)),
        (CommitRule::ShaOrMain, CommitRule::Sha)
    );
}

#[test]
fn data_sets_beyond_the_list_or_the_limit_are_refused_or_left_out() {
    let listed: HashSet<String> = ["a/b", "c/d", "e/f"].map(str::to_owned).into();
    let ask = |names: &[&str], rules| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        requested_datasets(&names, &listed, rules)
    };
    let rules = RuleSet::newest().entry.datasets;
    assert_eq!(rules, DatasetRules::Refused { max: 2 });
    assert_eq!(ask(&["c/d", "a/b"], rules).unwrap(), ["c/d", "a/b"]);
    assert_eq!(ask(&[], rules).unwrap(), [""; 0]);
    let error = ask(&["a/b", "c/d", "e/f"], rules).unwrap_err();
    assert_eq!(error, ResponseError::Datasets { found: 3, max: 2 });
    let error = ask(&["a/b", "x/y"], rules).unwrap_err();
    assert!(error.to_string().contains("\"x/y\""), "{error}");
    let dropped = DatasetRules::Dropped { max: 2 };
    assert_eq!(
        ask(&["x/y", "e/f", "a/b", "c/d"], dropped).unwrap(),
        ["e/f", "a/b"]
    );
    assert_eq!(ask(&["a/b"], DatasetRules::None {}).unwrap(), [""; 0]);
}

#[test]
fn what_is_missing_twice_of_another_type_or_too_long_is_refused() {
    for field in ["github_repo", "commit_hash"] {
        let mut without = answer();
        without.as_object_mut().unwrap().remove(field);
        for value in [without, with(field, Value::Null)] {
            let error = read(&value).unwrap_err();
            assert_eq!(
                error,
                ResponseError::Field {
                    field,
                    problem: "missing"
                }
            );
        }
    }
    assert!(read(&with("commit_hash", json!(""))).is_err());
    let twice = format!(
        r#"{{"github_repo":"https://github.com/a/b","commit_hash":"{SHA}","commit_hash":"{SHA}"}}"#
    );
    let error =
        TrainingRepoResponse::from_json(twice.as_bytes(), ExtraFields::Ignored).unwrap_err();
    assert!(
        error.to_string().contains("commit_hash is given twice"),
        "{error}"
    );
    for (field, value) in [
        ("github_repo", json!(7)),
        ("commit_hash", json!([SHA])),
        ("github_token", json!({"a": SECRET})),
        ("requested_datasets", json!(SECRET)),
        ("requested_datasets", json!([SECRET, 1])),
    ] {
        let error = read(&with(field, value)).unwrap_err();
        assert!(
            matches!(error, ResponseError::Malformed { .. }),
            "{field}: {error}"
        );
        // A secret in the wrong place is not repeated either.
        assert!(!format!("{error} {error:?}").contains("SECRET"));
    }
    for (field, value) in [
        ("github_token", json!("x".repeat(TOKEN_BYTES_MAX + 1))),
        ("requested_datasets", json!(vec!["a"; DATASETS_MAX + 1])),
        (
            "requested_datasets",
            json!(["x".repeat(DATASET_BYTES_MAX + 1)]),
        ),
    ] {
        let error = read(&with(field, value)).unwrap_err();
        assert!(error.to_string().contains("too long"), "{field}: {error}");
    }
    let long = vec![b' '; RESPONSE_BYTES_MAX + 1];
    let error = TrainingRepoResponse::from_json(&long, ExtraFields::Ignored).unwrap_err();
    assert!(matches!(error, ResponseError::TooLong { .. }));
    for bytes in [
        &b""[..],
        b"[]",
        b"null",
        b"\"x\"",
        b"{",
        b"{} {}",
        b"\xff",
        b"{\"a\":1",
    ] {
        let error = TrainingRepoResponse::from_json(bytes, ExtraFields::Ignored).unwrap_err();
        assert_eq!(error.owner(), crate::Owner::Submission);
    }
}

#[test]
fn other_fields_are_as_the_rules_say() {
    let value = with("gpu_ids", json!([1, {"a": "b"}]));
    assert_eq!(read(&value), read(&answer()));
    let strict =
        TrainingRepoResponse::from_json(value.to_string().as_bytes(), ExtraFields::Refused);
    assert!(strict.unwrap_err().to_string().contains("unknown"));
}

#[test]
fn no_message_and_no_debug_text_has_the_token() {
    let answer = read(&answer()).unwrap();
    assert!(format!("{answer:?}").contains("GithubToken(…)"));
    assert!(!format!("{answer:?} {answer:#?}").contains("SECRET"));
    // A token inside an address is a password.
    for address in [
        "https://SECRET@github.com/a/b",
        "https://u:SECRET@github.com/a/b",
    ] {
        let error = read(&with("github_repo", json!(address))).unwrap_err();
        assert_eq!(
            error,
            ResponseError::Repository(RepositoryError::Credentials)
        );
        assert!(!format!("{error} {error:?}").contains("SECRET"));
    }
}

#[test]
fn every_form_of_an_address_is_one_repository() {
    for form in [
        "https://github.com/Ann-1/my.repo_2",
        "http://github.com/Ann-1/my.repo_2/",
        "HTTPS://GitHub.com/Ann-1/my.repo_2.git",
        "https://www.github.com/Ann-1/my.repo_2",
        "github.com/Ann-1/my.repo_2.git",
        "git@github.com:Ann-1/my.repo_2.git",
        "ssh://git@github.com/Ann-1/my.repo_2.git",
    ] {
        let repository: Repository = form
            .parse()
            .unwrap_or_else(|error| panic!("{form}: {error}"));
        assert_eq!(
            repository.url(),
            "https://github.com/Ann-1/my.repo_2",
            "{form}"
        );
    }
    for form in [
        "",
        "a/b",
        "https://gitlab.com/a/b",
        "https://github.com",
        "https://github.com/a",
        "https://github.com/a/",
        "https://github.com//b",
        "https://github.com/a/b/tree/main",
        "https://github.com/a/b?x",
        "https://github.com/a/b#x",
        "https://github.com.evil.org/a/b",
        "https://evil.org/github.com/a/b",
        "https://github.com/a/..",
        "https://github.com/a/.git",
        "https://github.com/a/b.git.git",
        "https://github.com/-a/b",
        "https://github.com/a--b/c",
        "https://github.com/a b/c",
        "https://github.com/ä/b",
        "ftp://github.com/a/b",
        "file:///github.com/a/b",
        "git@github.com/a/b",
        "ssh://github.com/a/b",
        "https://github.com:443/a/b",
        " https://github.com/a/b",
        "https://github.com/a/b\n",
        "--upload-pack=x",
    ] {
        assert!(form.parse::<Repository>().is_err(), "{form:?}");
    }
    let long = format!("https://github.com/a/{}", "b".repeat(600));
    assert!(matches!(
        long.parse::<Repository>(),
        Err(RepositoryError::TooLong { .. })
    ));
}

#[test]
fn whatever_the_bytes_are_each_function_for_fuzzers_returns() {
    let text = answer().to_string();
    for cut in 0..=text.len() {
        fuzzing::repo_response(&text.as_bytes()[..cut]);
    }
    for index in 0..text.len() {
        for byte in [0, b'"', b'\\', b'{', 0xff] {
            let mut changed = text.clone().into_bytes();
            changed[index] = byte;
            fuzzing::repo_response(&changed);
        }
    }
    let deep = [b"{\"a\":".as_slice(), &b"[".repeat(60_000)].concat();
    fuzzing::repo_response(&deep);
}
