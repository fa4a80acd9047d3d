//! Who signs.

use super::*;
use schnorrkel::{ExpansionMode, Keypair, MiniSecretKey};
use std::sync::atomic::{AtomicBool, Ordering};

/// A command that signs: it hands what it is asked to the test, and prints what that answers.
const SCRIPT: &str = "cat > $1/new && mv $1/new $1/asked
while [ ! -e $1/answer ]; do sleep 0.02; done
cat $1/answer; rm $1/answer
";

/// The golden key.
fn pair() -> Keypair {
    let keyfile: Value = serde_json::from_str(&golden("plain_keyfile")).unwrap();
    let seed = hex::decode(keyfile["secretSeed"].as_str().unwrap()).unwrap();
    let seed = MiniSecretKey::from_bytes(&seed).unwrap();
    seed.expand_to_keypair(ExpansionMode::Ed25519)
}

/// Answers one request in a folder, and says what it was.
fn answer(folder: &Path, ended: &AtomicBool) -> Option<Value> {
    let asked = folder.join("asked");
    while !asked.exists() {
        if ended.load(Ordering::Relaxed) {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let request: Value = serde_json::from_slice(&fs::read(&asked).unwrap()).unwrap();
    let message = hex::decode(request["message"].as_str().unwrap()).unwrap();
    let context = schnorrkel::signing_context(b"substrate").bytes(&message);
    let signature = hex::encode(&pair().sign(context).to_bytes());
    let line = json!({"version": 1, "signature": signature});
    fs::write(folder.join("written"), line.to_string()).unwrap();
    fs::rename(folder.join("written"), folder.join("answer")).unwrap();
    Some(request)
}

#[test]
fn a_command_that_has_the_key_elsewhere_signs_what_lands() {
    let place = Place::slow(1);
    let script = place.write("sign", SCRIPT.as_bytes(), 0o600);
    let folder = place.path("signing");
    fs::create_dir(&folder).unwrap();
    let signer = format!("/bin/sh {} {}", script.display(), folder.display());
    let (hotkey, values) = (golden("ss58"), place.path("values.json"));
    let mut set = place.weights("set", &["--yes", "--signer", &signer, "--hotkey", &hotkey]);
    set.arg("--values").arg(values);
    let ended = AtomicBool::new(false);
    let (done, request) = std::thread::scope(|scope| {
        let answers = scope.spawn(|| answer(&folder, &ended));
        let done = finish(&mut set);
        ended.store(true, Ordering::Relaxed);
        (done, answers.join().unwrap())
    });
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!((place.row(), place.applied()), (STORED.to_vec(), 1));
    let request = request.unwrap();
    assert_eq!(request["account"], hotkey.as_str());
    // The call is in it, so that a signer can say no: three values of eight bits, as the chain has them.
    let payload = request["payload"].as_str().unwrap();
    assert_eq!(request["message"], payload);
    assert!(payload.contains("0800000200083200c800"), "{payload}");
    is_secret_free(&done);
}

#[test]
fn a_command_that_refuses_leaves_an_intent_that_others_can_finish() {
    let place = Place::new(1, |_| ());
    let text = "cat > /dev/null; echo '{\"version\":1,\"refused\":\"not today\"}'";
    let script = place.write("sign", text.as_bytes(), 0o600);
    let signer = format!("/bin/sh {}", script.display());
    let hotkey = golden("ss58");
    let mut set = place.weights("set", &["--yes", "--signer", &signer, "--hotkey", &hotkey]);
    let done = finish(set.arg("--values").arg(place.path("values.json")));
    done.complains(3, &["refuses to sign: not today", "--resume"]);
    assert!(place.chain.submissions().is_empty());
    let done = finish(&mut place.set(&["--resume"]));
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(place.row(), STORED);
}

#[test]
fn keys_that_others_can_read_or_that_do_not_open_are_refused() {
    let place = Place::new(1, |_| ());
    let open = place.write("open", golden("plain_keyfile").as_bytes(), 0o644);
    let refused = finish(&mut place.set(&["--yes", "--keyfile", open.to_str().unwrap()]));
    refused.complains(1, &["chmod 600"]);
    let sealed = hex::decode(&format!("0x{}", golden("encrypted_keyfile_hex"))).unwrap();
    let sealed = place.write("sealed", &sealed, 0o600);
    let mut set = place.set(&[
        "--yes",
        "--keyfile",
        sealed.to_str().unwrap(),
        "--password-env",
        "HOTKEY_PASSWORD",
    ]);
    let wrong = finish(set.env("HOTKEY_PASSWORD", "wrong"));
    wrong.complains(1, &["password"]);
    assert_eq!(place.applied(), 0);
    is_secret_free(&wrong);
    is_secret_free(&refused);
}
