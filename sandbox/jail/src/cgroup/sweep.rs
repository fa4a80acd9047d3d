//! What an earlier supervisor left behind.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::error::CgroupError;
use super::files::Dir;
use super::files::remove_dir;
use super::group::{Group, Member, Record, RecordedGroup};
use super::host::{Backend, Host};
use super::limits::check_name;
use super::probe::THROWAWAY;

/// How long one job's processes, and then its groups, are waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a group is left alone that was made to be tried, which takes milliseconds.
const TRIED_WITHIN: Duration = Duration::from_secs(60);

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Swept {
    /// names whose groups are gone
    pub removed: Vec<String>,
    /// names whose groups are still there, and why
    pub failed: Vec<(String, CgroupError)>,
}

/// Kills and removes every group below the host's parents whose name begins with `prefix` and is not in `keep`. Groups in hierarchies that the
/// host does not use now are not seen: where mounts or parents may have changed, open the journal's records first.
///
/// # Errors
/// [`CgroupError::Invalid`] if the prefix is not the beginning of a name; a parent that cannot be read. What happens to single groups is in
/// [`Swept`].
pub fn sweep(host: &Host, prefix: &str, keep: &[String]) -> Result<Swept, CgroupError> {
    check_name(prefix)?;
    let v2 = host.v2.iter().map(|hierarchy| (Backend::V2, hierarchy));
    let v1 = host.v1.iter().map(|hierarchy| (Backend::V1, hierarchy));
    let mut records: BTreeMap<String, Record> = BTreeMap::new();
    for (backend, hierarchy) in v2.chain(v1) {
        for name in Dir::open(&hierarchy.parent, backend)?.children()? {
            if !name.starts_with(prefix) || keep.contains(&name) {
                continue;
            }
            let path = hierarchy.parent.join(&name);
            let group = RecordedGroup {
                backend,
                controllers: hierarchy.controllers.clone(),
                path,
            };
            records
                .entry(name.clone())
                .or_insert_with(|| Record {
                    name,
                    groups: Vec::new(),
                })
                .groups
                .push(group);
        }
    }
    let mut swept = Swept::default();
    for (name, record) in records {
        match end(&record) {
            Ok(()) => swept.removed.push(name),
            Err(error) => swept.failed.push((name, error)),
        }
    }
    Ok(swept)
}

/// Removes groups that somebody made to try them and was killed meanwhile. None of them ever had a process. What cannot be looked at or
/// removed stays.
pub fn sweep_throwaways(host: &Host) {
    let v2 = host.v2.iter().map(|hierarchy| (Backend::V2, hierarchy));
    let v1 = host.v1.iter().map(|hierarchy| (Backend::V1, hierarchy));
    for (backend, hierarchy) in v2.chain(v1) {
        let names = Dir::open(&hierarchy.parent, backend).and_then(|parent| parent.children());
        for name in names.unwrap_or_default() {
            let path = hierarchy.parent.join(&name);
            let made = std::fs::metadata(&path).and_then(|meta| meta.modified());
            let age = made.map(|made| SystemTime::now().duration_since(made));
            if name.starts_with(THROWAWAY) && matches!(age, Ok(Ok(age)) if age > TRIED_WITHIN) {
                _ = remove_dir(&path);
            }
        }
    }
}

fn end(record: &Record) -> Result<(), CgroupError> {
    let Some(group) = Group::open(record)? else {
        return Ok(());
    };
    let own = rustix::process::getpid().as_raw_pid();
    for Member { dir, .. } in &group.members {
        if dir.processes()?.contains(&own) {
            return Err(CgroupError::Inside {
                dir: dir.path().to_owned(),
            });
        }
    }
    group.end(PATIENCE)?;
    group.remove(PATIENCE)
}
