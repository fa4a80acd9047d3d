//! What the file must not say.

use super::{Place, decide, four, written};
use crate::binary::run;
use serde_json::{Value, json};

#[test]
fn what_the_file_must_not_say_is_named_and_nothing_is_written() {
    let place = Place::new();
    let report = place.path("d.json");
    let refused = |change: &dyn Fn(&mut Value), says: &[&str]| {
        let mut file = four();
        change(&mut file);
        let done = decide(&written(&place, &file), &[("--json", &report)]);
        done.complains(1, says);
        assert!(!report.exists(), "{says:?}");
    };
    refused(
        &|f| f["version"] = json!(3),
        &["entry.json", "version 3, expected 1"],
    );
    refused(
        &|f| f["more"] = json!(3),
        &["line 1", "unknown field `more`"],
    );
    refused(
        &|f| f["rules"] = json!("2019"),
        &["no rule set is called 2019", "known are"],
    );
    refused(
        &|f| f["now_unix_s"] = json!(-1),
        &["there is no next start", "the present is -1 s after 1970"],
    );
    refused(
        &|f| {
            f["rules"] = json!("2025-12-12-86623e97");
            f["tournament_type"] = json!("environment");
        },
        &["has no environment tournaments"],
    );
    // Late facts of an older commit, and of another's.
    refused(
        &|f| f["facts"][2]["commit"] = json!("9".repeat(40)),
        &[
            "the gate cannot decide",
            "the obfuscation check of c is of c/r at 999",
            "but c submits c/r at 0000000000000000000000000000000000000002",
            "find out about what is submitted",
        ],
    );
    refused(
        &|f| f["facts"][2]["source"]["commit"] = json!("9".repeat(40)),
        &["the source of c was read at commit 999", "expected 000"],
    );
    refused(
        &|f| f["facts"][2]["hotkey"] = json!("z"),
        &["a fact of z", "neither a candidate nor enrolled"],
    );
    refused(
        &|f| {
            let fact = f["facts"][1].clone();
            f["facts"].as_array_mut().unwrap().push(fact);
        },
        &["the fact of b (b/r at 0000000000000000000000000000000000000001) is there twice"],
    );
    refused(
        &|f| f["ledger"][0]["kind"] = json!("gift"),
        &["unknown variant `gift`"],
    );
    refused(
        &|f| f["ledger"][0] = json!({"kind": "refund", "id": "x", "tournament_id": "t", "coldkey": "k", "amount_rao": 1}),
        &["event 0 of the ledger cannot be", "k paid 0 rao for t"],
    );
    refused(
        &|f| f["candidates"][0]["answer"] = json!({"is": "file", "path": "gone"}),
        &["gone cannot be read as an answer", "No such file"],
    );
    refused(
        &|f| f["licence"] = json!({"licence": "gone", "notice": "gone"}),
        &["licence ", "gone cannot be read"],
    );
    refused(
        &|f| f["facts"][0]["licence"] = json!({"is": "texts", "texts": {}}),
        &["the licence of a is given as texts", "add [licence]"],
    );
    run(["tournament", "entry", "/nowhere"]).complains(1, &["FILE /nowhere", "No such file"]);
    run(["tournament", "entry"]).complains(2, &["FILE"]);
}
