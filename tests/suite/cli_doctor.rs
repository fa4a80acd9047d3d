//! What `gradus doctor` says of a host.

use crate::binary::run;
use serde_json::Value;

#[test]
fn a_host_is_described_for_people_and_for_programs() {
    let text = run(["doctor"]);
    assert_eq!(text.code, Some(0));
    for part in [
        "processor",
        "memory",
        "kernels",
        "text evaluation",
        "GPU evaluation",
        "Python",
    ] {
        assert!(text.stdout.contains(part), "{part}: {}", text.stdout);
    }
    assert!(!text.stdout.contains('\u{1b}'), "a pipe gets no colours");
    let json = run(["doctor", "--json"]);
    let report: Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(report["cpu"]["threads"].as_u64().unwrap() >= 1);
    let isas = report["cpu"]["isas"].as_array().unwrap();
    assert_eq!(
        isas[0], report["cpu"]["isa"],
        "the best that is here is chosen"
    );
    assert!(isas.iter().any(|isa| isa == "portable"));
    for check in report["checks"].as_array().unwrap() {
        assert!(
            ["ready", "limited", "absent"].contains(&check["state"].as_str().unwrap()),
            "{check}"
        );
        assert!(!check["detail"].as_str().unwrap().is_empty());
    }
}
