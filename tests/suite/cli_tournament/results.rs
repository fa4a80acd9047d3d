//! What a tournament comes to: a page, results, weights.

use super::{Place, golden};
use crate::binary::{command, finish, repository};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

#[test]
fn the_page_has_the_bracket_the_bounds_and_the_places_and_loads_nothing() {
    let place = Place::new();
    for name in ["text.jsonl", "environment.jsonl"] {
        let page = place.path("page.html");
        let mut command = command();
        command
            .args(["tournament", "report"])
            .arg(golden(name))
            .arg("--html")
            .arg(&page);
        assert_eq!(finish(&mut command).code, Some(0));
        let page = fs::read_to_string(&page).unwrap();
        for part in [
            "<svg",
            "<h2>Rounds</h2>",
            "<h2>Places</h2>",
            "SHA-256 of the state",
            "default-src 'none'",
        ] {
            assert!(page.contains(part), "{name}: {part}");
        }
        assert!(
            !page.contains("<script") && !page.contains("http:") && !page.contains("https:"),
            "{name}"
        );
    }
    // One that has only begun, by somebody who writes markup.
    let path = place.begun();
    let built = json!({"event": "task_built", "task": 1, "task_id": "<script>alert(1)</script>",
        "model": "<b onclick='x'>&\u{202e}", "environments": []});
    let events = format!("{{\"event\":\"started\"}}\n{built}");
    let done = place.apply(&path, &events, &["--stamp"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let page = place.path("page.html");
    let mut report = command();
    report
        .args(["tournament", "report"])
        .arg(&path)
        .arg("--html")
        .arg(&page);
    assert_eq!(finish(&mut report).code, Some(0));
    let page = fs::read_to_string(&page).unwrap();
    assert!(page.contains("not over"));
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"),
        "{page}"
    );
    assert!(!page.contains("<script") && !page.contains("<b "), "{page}");
}

#[test]
fn finished_tournaments_become_results_and_weights() {
    let place = Place::new();
    let participants = place.file("participants", "a\nw\n");
    let results = place.path("results.json");
    let collect = |files: &[PathBuf], rules: &str| {
        let mut command = command();
        command
            .args(["weights", "collect", "--rules", rules, "-o"])
            .arg(&results);
        finish(command.arg("--participants").arg(&participants).args(files))
    };
    let newest = "2026-09-30-27931f9d";
    let both = [golden("text.jsonl"), golden("environment.jsonl")];
    let done = collect(&both, "2026-09-30-27931f9d");
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let collected: Value = serde_json::from_slice(&fs::read(&results).unwrap()).unwrap();
    assert_eq!(collected["results"]["text"]["winner_hotkey"], "a");
    assert_eq!(collected["results"]["image"], Value::Null);
    assert_eq!(
        collected["input"]["environment"]["entrants_newest_first"],
        json!([5])
    );
    let margin = &collected["input"]["text"]["performance"]["won"]["difference"];
    assert_eq!(margin.as_f64(), Some(0.208_333_333_333_333_31));

    // Over a subnet on which they are registered, the vector goes through to its audit.
    let mut subnet: Value = serde_json::from_slice(
        &fs::read(repository().join("examples/weights/subnet.json")).unwrap(),
    )
    .unwrap();
    for (uid, hotkey) in (20..).zip(["a", "c", "w", "x", "former"]) {
        subnet["neurons"][uid]["hotkey"] = json!(hotkey);
    }
    let subnet = place.file("subnet.json", &subnet.to_string());
    let audit = place.path("audit.json");
    let mut show = command();
    show.args(["weights", "show", "--json"])
        .arg(&results)
        .arg("--subnet")
        .arg(&subnet);
    let shown = finish(show.arg("--audit").arg(&audit));
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    // There was no environment champion, so what the boss earned is what the burned rest replaced.
    let lost = shown["lost"][0]["weight"].as_f64().unwrap();
    let total = shown["total"].as_f64().unwrap();
    assert!((total + lost - 1.0).abs() < 1e-12, "{shown}");
    let mut again = command();
    assert_eq!(
        finish(again.args(["weights", "audit"]).arg(&audit)).code,
        Some(0)
    );

    for (list, says) in [
        ("a\n# active\n", ["line 2 is", "# active"]),
        ("\u{feff}a\n", ["line 1 is", "{feff}a"]),
        ("a\nw\na\n", ["line 3 is a", "so is line 1"]),
    ] {
        place.file("participants", list);
        let done = collect(&both, newest);
        done.complains(1, &["--participants", says[0], says[1]]);
    }
    place.file("participants", "a\nw\n");
    collect(
        &[golden("text.jsonl"), golden("text.jsonl")],
        "2026-09-30-27931f9d",
    )
    .complains(1, &["tourn_text is there twice"]);
    collect(&both, "2025-12-12-86623e97").complains(
        1,
        &["text.jsonl was played by rules 2026-09-30-27931f9d, which are newer"],
    );
    let open = place.begun();
    collect(std::slice::from_ref(&open), newest).complains(1, &["t.jsonl", "has not begun"]);
    // One that runs is counted: what is over lies one further back.
    let started = place.apply(&open, "{\"event\":\"started\"}", &["--stamp"]);
    assert_eq!(started.code, Some(0), "{}", started.stderr);
    let done = collect(&[golden("environment.jsonl"), open], newest);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let collected: Value = serde_json::from_slice(&fs::read(&results).unwrap()).unwrap();
    let running = ["text", "image", "environment"].map(|kind| &collected["input"][kind]["running"]);
    assert_eq!(running, [&json!(1), &json!(0), &json!(0)]);
}
