//! What a job asks its proxy for. What is passed on is one request of one meaning: whatever the job wrote, a server reads the host that was
//! judged, a length that was counted, and nothing behind it.
#![no_main]

use gradus_egress::head::{Request, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some((request, length))) = parse(bytes) else {
        return;
    };
    assert!(length <= bytes.len());
    // What follows changes nothing, and what is there of it before its end is not taken for all of it.
    let more = [&bytes[..length], b"GET http://other/ HTTP/1.1\r\n\r\n"].concat();
    assert_eq!(parse(&more), Ok(Some((request.clone(), length))));
    assert!(!matches!(parse(&bytes[..length - 1]), Ok(Some((_, n))) if n >= length));
    let forward = match request {
        Request::Tunnel { host, port } => {
            assert_ne!(port, 0);
            assert_eq!(host.to_string().parse(), Ok(host));
            return;
        }
        Request::Forward(forward) => forward,
    };
    assert_eq!(forward.host.to_string().parse(), Ok(forward.host.clone()));
    // Values of headers are bytes.
    let head = String::from_utf8_lossy(&forward.head);
    if cfg!(feature = "canary") {
        assert!(forward.port != 8080, "canary");
    }
    assert!(forward.head.ends_with(b"\r\n\r\n"));
    let ends = forward
        .head
        .windows(4)
        .filter(|w| *w == b"\r\n\r\n")
        .count();
    assert_eq!(ends, 1, "two requests in one");
    let behind = forward.url.strip_prefix("http://").expect("its scheme");
    let authority = behind.split(['/', '?']).next().unwrap_or_default();
    assert!(!authority.contains('@'), "a name or password on record");
    assert!(!forward.url.contains(['\r', '\n']));
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    assert!(
        first.ends_with(" HTTP/1.1") && first.split(' ').count() == 3,
        "{first}"
    );
    assert!(
        first
            .split(' ')
            .nth(1)
            .is_some_and(|path| path.starts_with('/') || path == "*"),
        "{first}"
    );
    let names: Vec<String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect();
    let count = |name: &str| names.iter().filter(|n| *n == name).count();
    assert_eq!(count("host"), 1);
    assert!(count("content-length") <= 1 && (forward.body == 0 || count("content-length") == 1));
    for name in ["transfer-encoding", "proxy-authorization", "upgrade", "te"] {
        assert_eq!(count(name), 0, "{name}");
    }
});
