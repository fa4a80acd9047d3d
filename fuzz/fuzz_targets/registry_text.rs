//! What names an image, what a registry asks for and answers, and logins. A name reads back as it is shown, and is no path to elsewhere.
#![no_main]

use gradus_fetch::net::Secret;
use gradus_fetch::registry::{
    Challenge, Credentials, Mirror, Reference, parse_challenges, parse_token,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = parse_token(bytes).map(|token: Secret| assert_eq!(format!("{token:?}"), "Secret(..)"));
    let _ = Credentials::parse(bytes, "fuzz");
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(reference) = text.parse::<Reference>() {
        let shown = reference.to_string();
        assert_eq!(
            shown.parse::<Reference>().as_ref(),
            Ok(&reference),
            "{shown}"
        );
        assert!(shown.is_ascii() && !shown.contains(char::is_whitespace));
        assert!(!reference.registry().contains(['/', '@', '?', '#', '\\']));
        for part in reference.repository().split('/') {
            assert!(
                !part.is_empty() && !part.starts_with('.') && !part.ends_with('.'),
                "{shown}"
            );
        }
        assert!(reference.tag().is_some() || reference.digest().is_some());
        if cfg!(feature = "canary") {
            assert!(!reference.registry().contains(':'), "canary");
        }
    }
    for challenge in parse_challenges(text) {
        if let Challenge::Bearer { realm, .. } = challenge {
            assert!(realm.len() <= text.len());
        }
    }
    if let Ok(mirror) = text.parse::<Mirror>() {
        let server = mirror.server().expect("it was checked");
        assert!(
            server.contains(':') && !server.contains(['/', '@']),
            "{server}"
        );
    }
});
