use super::*;
use crate::keyfile::golden::{GOLDEN, bytes};
use serde::Deserialize;

#[derive(Deserialize)]
struct Signatures {
    ss58: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    message: String,
    signature: String,
}

#[test]
fn signatures_of_the_chains_own_wallet_verify_and_changed_ones_do_not() {
    let golden: Signatures =
        serde_json::from_str(include_str!("../../tests/golden/signature-vectors.json"))
            .expect("golden");
    let account: AccountId = golden.ss58.parse().expect("golden");
    assert_eq!(golden.cases.len(), 5);
    for case in &golden.cases {
        let message = bytes(&case.message);
        let signature = Signature(crate::hex::decode(&case.signature).expect("64 bytes"));
        assert!(account.verifies(&message, &signature), "{}", case.message);
        for at in [0, 31, 32, 63] {
            let mut changed = signature;
            changed.0[at] ^= 1;
            assert!(!account.verifies(&message, &changed), "byte {at}");
        }
        assert!(!account.verifies(&[&message[..], b"x"].concat(), &signature));
        assert!(!AccountId([7; 32]).verifies(&message, &signature));
    }
}

#[test]
fn mnemonic_seed_and_secret_key_make_the_same_pair() {
    let pair = Keypair::from_mnemonic(&GOLDEN.mnemonic).expect("golden");
    assert_eq!(pair.account().to_ss58(), GOLDEN.ss58);
    let seed =
        crate::hex::decode("0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e");
    assert_eq!(
        Keypair::from_seed(&seed.expect("32 bytes")).account(),
        pair.account()
    );
    let again = Keypair::from_secret_key(&pair.0.secret.to_bytes()).expect("a secret key");
    assert_eq!(again.account(), pair.account());
    assert!(pair.account().verifies(b"x", &again.sign(b"x")));
}

#[test]
fn words_that_are_no_mnemonic_are_refused() {
    let words = &GOLDEN.mnemonic;
    for wrong in [
        "",
        "bottom",
        &words.replace("walk", "wall"),
        &format!("{words} walk"),
        &words.replace(' ', "-"),
    ] {
        assert_eq!(
            Keypair::from_mnemonic(wrong).expect_err("no mnemonic"),
            SecretError::Mnemonic,
            "{wrong}"
        );
    }
}
