mod files;

use super::golden::{GOLDEN, encrypted, plain};
use super::*;
use crate::pair::SecretError;
use crate::secret::Secret;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const RULES: FileRules = FileRules {
    links: Links::Refuse,
};

fn private(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, bytes).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its own file");
    path
}

/// The golden keyfile with one field changed or added.
fn changed(field: &str, value: Value) -> String {
    let mut document: Value = serde_json::from_str(plain()).expect("golden");
    document[field] = value;
    document.to_string()
}

fn refused(json: &str) -> DocumentError {
    match parse_plain(json.as_bytes()) {
        Err(KeyfileError::Document(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_golden_keyfile_opens_plain_and_encrypted_with_the_password_of_a_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let password = format!("{}\n", GOLDEN.password);
    let password = PasswordSource::File(private(dir.path(), "password", password.as_bytes()));
    let expected = GOLDEN.ss58.parse().expect("golden");
    assert_eq!(AccountId::to_hex(&expected), GOLDEN.public_key);
    for (bytes, password) in [
        (plain().as_bytes().to_vec(), None),
        (encrypted(), Some(&password)),
    ] {
        let path = private(dir.path(), "hotkey", &bytes);
        let pair = read_keyfile(&path, password, Some(expected), &RULES).expect("golden");
        assert_eq!(pair.account(), expected);
        assert!(expected.verifies(b"message", &pair.sign(b"message")));
    }
}

#[test]
fn what_the_box_hides_is_the_plain_keyfile_and_any_other_password_or_byte_is_refused() {
    let password = Secret::new(GOLDEN.password.as_bytes().to_vec());
    let key = sealed::key_of(&password).expect("a test's machine has the memory");
    let rest = &encrypted()[sealed::MAGIC.len()..];
    let opened = sealed::unseal(rest, &key).expect("golden");
    let [inside, outside]: [Value; 2] =
        [&opened[..], plain().as_bytes()].map(|json| serde_json::from_slice(json).expect("JSON"));
    assert_eq!(inside, outside);

    for at in 0..rest.len() {
        let mut changed = rest.to_vec();
        changed[at] ^= 1;
        let refused = sealed::unseal(&changed, &key).expect_err("a changed byte");
        assert_eq!(refused, SealedError::WrongPasswordOrChanged, "byte {at}");
    }
    for length in [5, 44] {
        let refused = sealed::open(&encrypted()[..length], &password).expect_err("cut");
        assert_eq!(refused, SealedError::Short { found: length });
    }
    let wrong = Secret::new(b"hunter2 g56 ".to_vec());
    let refused = sealed::open(&encrypted(), &wrong).expect_err("another password");
    assert_eq!(refused, SealedError::WrongPasswordOrChanged);
}

#[test]
fn an_encrypted_keyfile_asks_for_a_password_before_it_takes_memory() {
    let refused = open_keyfile(&encrypted(), None, &RULES).expect_err("no password");
    assert!(matches!(refused, KeyfileError::PasswordNeeded));
    let missing = PasswordSource::Env("GRADUS_NO_SUCH_VARIABLE".into());
    let refused = open_keyfile(&encrypted(), Some(&missing), &RULES).expect_err("no password");
    assert!(matches!(
        refused,
        KeyfileError::Password(PasswordError::EnvMissing { .. })
    ));
    let cut = open_keyfile(b"$NACL123", None, &RULES).expect_err("no password");
    assert!(matches!(cut, KeyfileError::PasswordNeeded));
}

#[test]
fn formats_that_are_not_read_are_named() {
    let of = |bytes: &[u8]| Format::of(bytes).expect_err("not read");
    assert_eq!(of(b""), FormatError::Empty);
    assert_eq!(of(b" \n"), FormatError::Empty);
    assert_eq!(
        of(b"$ANSIBLE_VAULT;1.1"),
        FormatError::Outdated {
            name: "an Ansible vault"
        }
    );
    assert_eq!(of(b"gAAAAABk"), FormatError::Outdated { name: "Fernet" });
    for foreign in [
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "[1,2]",
        "0xfac7",
        "bottom drive",
        "$NACK",
    ] {
        assert_eq!(of(foreign.as_bytes()), FormatError::Foreign, "{foreign}");
    }
}

/// Programs differ in which field they sign with, so every field must make the same key.
#[test]
fn every_field_that_belongs_to_another_key_is_found() {
    let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    let alice_key = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
    let other_phrase =
        "legal winner thank year wave sausage worth useful legal winner thank yellow";
    let cases = [
        ("ss58Address", alice.into()),
        ("accountId", alice_key.into()),
        ("secretSeed", Value::from(format!("0x{}", "07".repeat(32)))),
        ("secretPhrase", other_phrase.into()),
        ("privateKey", Value::from(crate::hex::encode(&[1; 64]))),
    ];
    for (field, value) in cases {
        let refused = refused(&changed(field, value));
        assert!(
            matches!(refused, DocumentError::Contradiction { field: found, .. } if found == field),
            "{refused}"
        );
    }
    // A changed public key contradicts the first field that is compared with it.
    let refused = refused(&changed("publicKey", alice_key.into()));
    assert!(
        matches!(
            refused,
            DocumentError::Contradiction {
                field: "accountId",
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn each_form_of_the_secret_suffices_alone() {
    for kept in ["secretPhrase", "secretSeed", "privateKey"] {
        let mut document: Value = serde_json::from_str(plain()).expect("golden");
        for field in [
            "secretPhrase",
            "secretSeed",
            "privateKey",
            "cryptoType",
            "accountId",
        ] {
            if field != kept {
                document.as_object_mut().expect("an object").remove(field);
            }
        }
        let pair = parse_plain(document.to_string().as_bytes()).expect("one secret suffices");
        assert_eq!(pair.account().to_ss58(), GOLDEN.ss58, "{kept}");
    }
    let public = json!({ "publicKey": GOLDEN.public_key, "secretSeed": null }).to_string();
    assert!(matches!(refused(&public), DocumentError::PublicOnly { .. }));
}

#[test]
fn corrupt_documents_say_which_field_is_wrong() {
    let field = |field, value| refused(&changed(field, value));
    assert_eq!(
        field("cryptoType", 0.into()),
        DocumentError::CryptoType { found: 0 }
    );
    assert_eq!(
        field("secretSeed", "0x12".into()),
        DocumentError::Hex {
            field: "secretSeed",
            bytes: 32
        }
    );
    assert_eq!(
        field("privateKey", "zz".into()),
        DocumentError::Hex {
            field: "privateKey",
            bytes: 64
        }
    );
    assert_eq!(
        field("publicKey", "".into()),
        DocumentError::Hex {
            field: "publicKey",
            bytes: 32
        }
    );
    let no_scalar = DocumentError::Secret {
        field: "privateKey",
        source: SecretError::SecretKey,
    };
    assert_eq!(field("privateKey", Value::from("ff".repeat(64))), no_scalar);
    let no_words = DocumentError::Secret {
        field: "secretPhrase",
        source: SecretError::Mnemonic,
    };
    assert_eq!(field("secretPhrase", "bottom drive".into()), no_words);
    for malformed in [
        plain()[..100].to_owned(),
        format!("{} {{}}", plain()),
        changed("path", "//hard".into()),
        plain().replacen('{', "{\"publicKey\":\"0x00\",", 1),
        plain().replace("bottom drive", "bottom\\u0020drive"),
        "{}".into(),
    ] {
        assert!(
            matches!(refused(&malformed), DocumentError::Malformed { .. }),
            "{malformed}"
        );
    }
}

/// A parser's own message would quote the value of a field of the wrong type.
#[test]
fn no_error_and_no_debug_shows_a_secret() {
    let secrets = [
        GOLDEN.mnemonic.as_str(),
        "fac7959d",
        "05d65584",
        GOLDEN.password.as_str(),
        "obey",
    ];
    let mut shown = vec![format!("{:?}", Keypair::from_mnemonic(&GOLDEN.mnemonic))];
    shown.push(format!(
        "{:?}",
        Secret::new(GOLDEN.password.as_bytes().to_vec())
    ));
    for json in [
        changed("cryptoType", GOLDEN.mnemonic.as_str().into()),
        changed("secretSeed", GOLDEN.mnemonic.as_str().into()),
        changed(
            "secretPhrase",
            Value::from(format!("{} x", GOLDEN.mnemonic)),
        ),
        changed(&GOLDEN.mnemonic, 1.into()),
        changed("publicKey", crate::hex::encode(&[1; 32]).into()),
    ] {
        let mut error: Option<&dyn std::error::Error> = Some(&refused(&json));
        while let Some(level) = error {
            shown.push(format!("{level} {level:?}"));
            error = level.source();
        }
    }
    for text in &shown {
        assert!(
            secrets.iter().all(|secret| !text.contains(secret)),
            "{text}"
        );
    }
    assert!(shown[0].contains("redacted") && shown[1].contains("redacted"));
}
