//! The open part of a tunnel. What comes behind the message, or how it is cut into pieces, changes nothing; what is found may be any text, and is
//! compared with the host that was judged.
#![no_main]

use gradus_egress::tls::{HELLO_BYTES_MAX, client_hello};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let found = client_hello(bytes);
    // Never more than one message is waited for.
    if bytes.len() > 2 * HELLO_BYTES_MAX + (64 << 10) {
        assert!(!matches!(found, Ok(None)));
    }
    // As it comes, a part at a time, it is first unknown and then what it is: never something else.
    let step = (bytes.len() / 16).max(1);
    for end in (0..bytes.len()).step_by(step) {
        match client_hello(&bytes[..end]) {
            Ok(None) => {}
            other => assert_eq!(other, found, "at {end} of {}", bytes.len()),
        }
    }
    let Ok(Some(hello)) = found else { return };
    let more = [bytes, b"\x16\x03\x01\x00\x01\x01".as_slice()].concat();
    assert_eq!(client_hello(&more), Ok(Some(hello.clone())));
    let Some(host) = hello.host else { return };
    assert!(!host.is_empty());
    if cfg!(feature = "canary") {
        assert!(!host.contains('\0'), "canary");
    }
});
