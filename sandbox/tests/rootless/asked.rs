//! Everything that a hostile program asks of the kernel once, as a job of a user without privileges.

use std::collections::BTreeMap;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use gradus_sandbox::outcome::Outcome;
use serde_json::Value;

use crate::user::{SECRET, as_user};

/// What is let through for want of a filter of devices: a node that is there and cannot be opened anyway says so itself.
const LET_THROUGH: [&str; 1] = ["device-filter"];

#[test]
fn a_hostile_program_gets_no_more_than_with_root_but_for_the_filter_of_devices() {
    as_user(
        "asked::a_hostile_program_gets_no_more_than_with_root_but_for_the_filter_of_devices",
        |home| {
            let name = format!("gradus-rootless-{}", std::process::id());
            let address = SocketAddr::from_abstract_name(&name).unwrap();
            let _listener = UnixListener::bind_addr(&address).unwrap();
            let words = [
                "/bin/probe".to_owned(),
                "all-static".to_owned(),
                format!("host-file={}", home.path("home/secret").display()),
                "host-file=/etc/passwd".to_owned(),
                format!("canary={SECRET}"),
                format!("abstract={name}"),
                format!("host-pid={}", std::process::id()),
            ];
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let (ended, text) = home.run(&home.program("asks", &words));
            assert_eq!(ended.outcome, Outcome::Exited { code: 0 }, "{text}");
            let mut answers = BTreeMap::new();
            for line in text.lines() {
                let answer: Value = serde_json::from_str(line).unwrap();
                let part = |key: &str| answer[key].as_str().unwrap().to_owned();
                answers.insert(part("attack"), (part("got"), part("detail")));
            }
            assert!(answers.len() >= 60, "{} were asked", answers.len());
            let allowed: Vec<_> = answers
                .iter()
                .filter(|(name, (got, _))| {
                    got == "allowed" && !LET_THROUGH.contains(&name.as_str())
                })
                .collect();
            assert!(allowed.is_empty(), "{allowed:#?}");
            for name in LET_THROUGH {
                assert_eq!(
                    answers[name].0, "allowed",
                    "{name} is refused by now: say so"
                );
            }
        },
    );
}
