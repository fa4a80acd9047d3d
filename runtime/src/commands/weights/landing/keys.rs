//! Who signs: a keyfile, a command, or nobody.

use super::LandError;
use crate::cli::weights::SetArgs;
use gradus_chain::keyfile::{FileRules, read_keyfile};
use gradus_chain::secret::PasswordSource;
use gradus_chain::signer::{CommandError, CommandSigner, SignError, SignRequest, Signer};
use gradus_chain::{AccountId, Signature};
use std::time::Duration;

/// How long a command may take: a person may have to press a key.
const SIGNER_TIME: Duration = Duration::from_secs(60);

/// A hotkey by its address.
pub(in super::super) fn account(text: &str) -> Result<AccountId, LandError> {
    text.parse().map_err(|source| LandError::Hotkey {
        text: text.chars().take(64).collect(),
        source,
    })
}

/// Who signs. A keyfile is unlocked here, once.
pub(in super::super) fn signer(arguments: &SetArgs) -> Result<Box<dyn Signer>, LandError> {
    let hotkey = arguments.hotkey.as_deref().map(account).transpose()?;
    if let (Some(command), Some(hotkey)) = (&arguments.signer, hotkey) {
        let mut words = command.split_whitespace().map(Into::into);
        let program: std::ffi::OsString = words.next().ok_or(LandError::SignerEmpty)?;
        let signer = CommandSigner::new(hotkey, program, words.collect(), SIGNER_TIME);
        return Ok(Box::new(signer));
    }
    let keyfile = arguments.keyfile.as_deref();
    let keyfile = keyfile.expect("one of the two is required");
    let password = match (&arguments.password_env, &arguments.password_file) {
        (Some(name), _) => Some(PasswordSource::Env(name.clone())),
        (None, Some(path)) => Some(PasswordSource::File(path.clone())),
        (None, None) => None,
    };
    // From here on the key is in memory, perhaps for hours: no core dump, no debugger of the same user.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .map_err(|errno| LandError::Dumpable(errno.into()))?;
    let pair = read_keyfile(keyfile, password.as_ref(), hotkey, &FileRules::default())?;
    Ok(Box::new(pair))
}

/// Nobody, for one who only looks.
pub(in super::super) struct Nobody(pub(in super::super) AccountId);

impl Signer for Nobody {
    fn account(&self) -> AccountId {
        self.0
    }

    fn sign_request(&self, _: &SignRequest) -> Result<Signature, SignError> {
        Err(SignError::Command {
            program: "none".into(),
            source: CommandError::Refused {
                reason: "status only looks; `gradus weights set --resume` signs".into(),
            },
        })
    }
}
