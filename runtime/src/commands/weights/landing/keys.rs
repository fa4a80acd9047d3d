//! Who signs: a keyfile, a command, or nobody.

use super::LandError;
use crate::cli::weights::SetArgs;
use crate::interrupt::Interrupt;
use gradus_chain::keyfile::{FileRules, Links, read_keyfile};
use gradus_chain::secret::PasswordSource;
use gradus_chain::signer::{CommandError, CommandSigner, SignError, SignRequest, Signer};
use gradus_chain::{AccountId, Signature};
use rustix::fs::{Access, access};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// A hotkey by its address.
pub(in super::super) fn account(text: &str) -> Result<AccountId, LandError> {
    text.parse().map_err(|source| LandError::Hotkey {
        text: text.chars().take(64).collect(),
        source,
    })
}

/// Refuses a signer's command that cannot be started, before anything is planned that it would have to sign.
pub(in super::super) fn check(arguments: &SetArgs) -> Result<(), LandError> {
    let Some(command) = &arguments.signer else {
        return Ok(());
    };
    let program = command.split_whitespace().next();
    let program = program.ok_or(LandError::SignerEmpty)?;
    match find(program, std::env::var_os("PATH").as_deref()) {
        Found::Program => Ok(()),
        Found::NotExecutable(path) => Err(LandError::SignerNotExecutable(path)),
        Found::Nothing => Err(LandError::SignerMissing {
            program: program.to_owned(),
            looked: match program.contains('/') {
                true => "",
                false => " in any directory of PATH",
            },
        }),
    }
}

/// What a program's name leads to.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Program,
    NotExecutable(PathBuf),
    Nothing,
}

/// Looks a program up as starting it does.
fn find(program: &str, path: Option<&OsStr>) -> Found {
    let candidates: Vec<PathBuf> = match program.contains('/') {
        true => vec![program.into()],
        false => path
            .map(|path| std::env::split_paths(path).map(|directory| directory.join(program)))
            .map(Iterator::collect)
            .unwrap_or_default(),
    };
    let mut found = Found::Nothing;
    for path in candidates.into_iter().filter(|path| path.exists()) {
        if path.is_file() && access(&path, Access::EXEC_OK).is_ok() {
            return Found::Program;
        }
        if found == Found::Nothing {
            found = Found::NotExecutable(path);
        }
    }
    found
}

/// Who signs, until `interrupt` says to stop. A keyfile is unlocked here, once.
pub(in super::super) fn signer(
    arguments: &SetArgs,
    interrupt: &Interrupt,
) -> Result<Box<dyn Signer>, LandError> {
    let hotkey = arguments.hotkey.as_deref().map(account).transpose()?;
    if let (Some(command), Some(hotkey)) = (&arguments.signer, hotkey) {
        let mut words = command.split_whitespace().map(Into::into);
        let program: OsString = words.next().ok_or(LandError::SignerEmpty)?;
        let limit = Duration::from_secs(arguments.signer_timeout.into());
        let signer = CommandSigner::new(hotkey, program, words.collect(), limit);
        return Ok(Box::new(signer.until(interrupt.flag())));
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
    let links = match arguments.allow_keyfile_link {
        true => Links::Follow,
        false => Links::Refuse,
    };
    let pair = read_keyfile(keyfile, password.as_ref(), hotkey, &FileRules { links })?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_program_is_found_as_starting_it_finds_it() {
        let place = tempfile::tempdir().unwrap();
        let file = |name: &str, mode| {
            let path = place.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "#!/bin/sh\n").unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        let plain = file("a/sign", 0o644);
        file("b/sign", 0o755);
        let directories = |names: &[&str]| {
            let paths = names.iter().map(|name| place.path().join(name));
            std::env::join_paths(paths).unwrap()
        };
        let found = |program: &str, names: &[&str]| find(program, Some(&directories(names)));
        assert_eq!(found("sign", &["a", "b"]), Found::Program);
        assert_eq!(found("sign", &["a"]), Found::NotExecutable(plain.clone()));
        assert_eq!(found("sing", &["a", "b"]), Found::Nothing);
        assert_eq!(find("sign", None), Found::Nothing);
        let whole = |path: &std::path::Path| find(path.to_str().unwrap(), None);
        assert_eq!(whole(&plain), Found::NotExecutable(plain.clone()));
        assert_eq!(whole(&place.path().join("b/sign")), Found::Program);
        assert_eq!(whole(&place.path().join("c/sign")), Found::Nothing);
        let directory = place.path().join("b");
        assert_eq!(whole(&directory), Found::NotExecutable(directory.clone()));
    }
}
