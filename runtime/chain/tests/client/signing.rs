use super::*;
use gradus_chain::Signature;
use gradus_chain::node::ExtrinsicError;
use gradus_chain::signer::{CommandSigner, SignError, SignRequest, Signer};

/// A signer that signs, but something else.
struct Liar(Keypair);

impl Signer for Liar {
    fn account(&self) -> AccountId {
        self.0.account()
    }

    fn sign_request(&self, _request: &SignRequest) -> Result<Signature, SignError> {
        Ok(self.0.sign(b"something else"))
    }
}

fn unsigned(node: &Node) -> Unsigned {
    let snapshot = best(node);
    let context = ExtrinsicContext {
        nonce: 0,
        era: Era::Immortal,
        birth_hash: node.genesis(),
        genesis: node.genesis(),
        tip: 0,
    };
    Unsigned::new(snapshot.capabilities(), &set(None), &context).expect("a known call")
}

#[test]
fn a_signature_of_something_else_is_not_sent() {
    let chain = chain(Spec::V461, |_| ());
    let (_served, node) = serve(&chain);
    let error = unsigned(&node).sign(&Liar(pair())).expect_err("a lie");
    assert!(
        matches!(error, ExtrinsicError::WrongSignature { .. }),
        "{error}"
    );
}

#[test]
fn a_command_is_shown_the_payload_and_its_refusal_is_ours() {
    let chain = chain(Spec::V461, |_| ());
    let (_served, node) = serve(&chain);
    let folder = tempfile::tempdir().expect("a folder");
    let seen = folder.path().join("seen");
    let script = format!(
        "cat > {}; printf '%s' '{{\"version\":1,\"refused\":\"not today\"}}'",
        seen.display()
    );
    let arguments = vec!["-c".into(), script.into()];
    let signer = CommandSigner::new(pair().account(), "sh", arguments, Duration::from_secs(5));
    let unsigned = unsigned(&node);
    let error = unsigned.sign(&signer).expect_err("refused");
    assert!(
        matches!(error, ExtrinsicError::Sign(SignError::Command { .. })),
        "{error:?}"
    );
    let line: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&seen).expect("written")).expect("JSON");
    let digits: String = unsigned
        .payload()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(line["payload"], format!("0x{digits}"));
    assert!(
        digits.starts_with(
            &unsigned
                .call_data()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        )
    );
    assert_eq!(chain.submissions().len(), 0);
}

#[test]
fn an_immortal_extrinsic_is_taken_too() {
    let chain = chain(Spec::V439, |_| ());
    let (_served, node) = serve(&chain);
    let signed = unsigned(&node).sign(&pair()).expect("its key");
    node.submit(&signed, 439).expect("taken");
    chain.produce_block();
    assert_eq!(chain.applied_by(pair().account().0), 1);
}
