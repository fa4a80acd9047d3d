use super::*;
use crate::keyfile::golden::GOLDEN;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

fn pair() -> Keypair {
    Keypair::from_mnemonic(&GOLDEN.mnemonic).expect("golden")
}

fn request(payload: &[u8]) -> SignRequest {
    SignRequest::new(pair().account(), payload.to_vec()).expect("short")
}

/// A signer that is a shell script, as another program would be.
fn shell(script: &str, limit_ms: u64) -> CommandSigner {
    let arguments = vec!["-c".into(), script.into()];
    CommandSigner::new(
        pair().account(),
        "/bin/sh",
        arguments,
        Duration::from_millis(limit_ms),
    )
}

fn refused(script: &str, limit_ms: u64) -> CommandError {
    match shell(script, limit_ms).sign_request(&request(b"x")) {
        Err(SignError::Command { source, program }) if program == "/bin/sh" => source,
        other => panic!("{other:?}"),
    }
}

/// A script that answers with a signature made beforehand.
fn answers(signature: &Signature) -> String {
    format!("cat > /dev/null; echo '{{\"version\":1,\"signature\":\"{signature:?}\"}}'")
}

#[test]
fn long_payloads_are_signed_by_their_hash() {
    let whole = request(&[7; 256]);
    assert_eq!(whole.message(), &[7; 256][..]);
    let hashed = request(&[7; 257]);
    // blake2b of 32 bytes, by Python's hashlib.
    let expected = crate::hex::decode::<32>(
        "d0b10e229a3d989562ed77da45bcbc9dc775790e6741718e92fc1d26fad59705",
    );
    assert_eq!(hashed.message()[..], expected.expect("32 bytes")[..]);
    let signature = pair().sign_request(&hashed).expect("signed");
    assert!(pair().account().verifies(&hashed.message(), &signature));
    let long = SignRequest::new(pair().account(), vec![0; PAYLOAD_BYTES_MAX + 1]);
    assert!(matches!(long, Err(SignError::PayloadTooLong { .. })));
}

#[test]
fn a_command_gets_the_request_and_its_signature_is_verified() {
    let signature = pair().sign(b"x");
    let dir = tempfile::tempdir().expect("a directory");
    let seen = dir.path().join("seen");
    let script = format!(
        "cat > {}; echo '{{\"version\":1,\"signature\":\"{signature:?}\"}}'",
        seen.display()
    );
    assert_eq!(
        shell(&script, 30_000)
            .sign_request(&request(b"x"))
            .expect("signed"),
        signature
    );
    let line = std::fs::read_to_string(seen).expect("written");
    let account = &GOLDEN.ss58;
    let expected = format!(
        "{{\"version\":1,\"account\":\"{account}\",\"payload\":\"0x78\",\"message\":\"0x78\"}}\n"
    );
    assert_eq!(line, expected);
    // It may answer without reading.
    let blind = answers(&signature).replace("cat > /dev/null; ", "");
    assert!(shell(&blind, 30_000).sign_request(&request(b"x")).is_ok());
    // A signature of other bytes, or by another key.
    let other = Keypair::from_seed(&[1; 32]).sign(b"x");
    for wrong in [pair().sign(b"y"), other, Signature([0; 64])] {
        assert!(matches!(
            refused(&answers(&wrong), 30_000),
            CommandError::WrongSignature { .. }
        ));
    }
}

#[test]
fn answers_that_are_none_are_told_apart() {
    let echo = |text: &str| refused(&format!("cat > /dev/null; printf '%s' '{text}'"), 30_000);
    assert!(
        matches!(echo("{\"version\":1,\"refused\":\"no\"}"), CommandError::Refused { reason } if reason == "no")
    );
    assert!(matches!(
        echo("{\"version\":2,\"refused\":\"no\"}"),
        CommandError::Version { found: 2 }
    ));
    for malformed in [
        "",
        "{}",
        "{\"version\":1}",
        "{\"version\":1,\"signature\":\"0x00\"}",
        "{\"version\":1,\"signature\":\"0x00\",\"refused\":\"no\"}",
        "{\"version\":1,\"refused\":\"no\",\"more\":1}",
        "{\"version\":1,\"refused\":\"no\"} {}",
    ] {
        assert!(
            matches!(echo(malformed), CommandError::Malformed),
            "{malformed}"
        );
    }
    assert!(
        matches!(refused("cat > /dev/null; exit 3", 30_000), CommandError::Failed { status } if status == "code 3")
    );
    assert!(
        matches!(refused("kill -9 $$", 30_000), CommandError::Failed { status } if status == "signal 9")
    );
    assert!(matches!(refused("yes", 30_000), CommandError::TooLong));
    let absent = CommandSigner::new(
        pair().account(),
        "/no/such/signer",
        vec![],
        Duration::from_secs(30),
    );
    let refused = absent.sign_request(&request(b"x")).expect_err("absent");
    assert!(matches!(
        refused,
        SignError::Command {
            source: CommandError::Run(gradus_process::RunError::Start(_)),
            ..
        }
    ));
    let escape =
        Response::parse(b"{\"version\":1,\"refused\":\"a\\u001b[2Jb\"}").expect("an answer");
    assert_eq!(escape, Response::Refused("a[2Jb".into()));
}

#[test]
fn an_answer_counts_only_if_its_command_ends_in_time() {
    let answered = answers(&pair().sign(b"x"));
    assert!(
        shell(&answered, 30_000)
            .sign_request(&request(b"x"))
            .is_ok()
    );
    // Answers, closes its output, and stays.
    let stays = format!("{answered}; exec >&-; sleep 60");
    assert!(matches!(
        refused(&stays, 300),
        CommandError::TimeLimit { limit_ms: 300 }
    ));
}

#[test]
fn an_answer_is_taken_though_a_child_of_the_command_holds_its_output() {
    let started = std::time::Instant::now();
    let leaves = format!("sleep 60 & {}", answers(&pair().sign(b"x")));
    let signed = shell(&leaves, 30_000).sign_request(&request(b"x"));
    assert!(signed.is_ok(), "{signed:?}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_command_is_killed_once_nobody_waits_for_it() {
    static STOPPED: AtomicBool = AtomicBool::new(false);
    let stop = std::thread::spawn(|| {
        std::thread::sleep(Duration::from_millis(100));
        STOPPED.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    let hangs = shell("sleep 60", 50_000).until(&STOPPED);
    let refused = hangs.sign_request(&request(b"x")).expect_err("no answer");
    let is_stopped = |error: &SignError| {
        matches!(
            error,
            SignError::Command {
                source: CommandError::Stopped,
                ..
            }
        )
    };
    assert!(is_stopped(&refused), "{refused:?}");
    stop.join().expect("it does not panic");
}

#[test]
fn a_request_for_another_account_is_refused_before_anything_runs() {
    let other = SignRequest::new(AccountId([1; 32]), vec![1]).expect("short");
    assert!(matches!(
        pair().sign_request(&other),
        Err(SignError::OtherAccount { .. })
    ));
    assert!(matches!(
        shell("exit 9", 1_000).sign_request(&other),
        Err(SignError::OtherAccount { .. })
    ));
}
