//! A world outside that has what a test puts there, and says what it was asked for.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use gradus_builder::{Download, Egress, FetchError, Serving, Within};
use gradus_image::dockerfile::ContentHash;
use gradus_image::{Digest, Owner};
use gradus_sandbox::job::Job;
use gradus_sandbox::sandbox::Started;

/// A file's content, and when it was changed.
type Served = (Vec<u8>, Option<i64>);
/// Paths and contents.
type Tree = Vec<(&'static str, &'static str)>;

/// Files by URL, commits by id. All hosts may be reached whose name does not begin with `no`.
#[derive(Default)]
pub(crate) struct World {
    policy: u8,
    files: Mutex<BTreeMap<String, Served>>,
    commits: Mutex<BTreeMap<String, Tree>>,
    asked: Mutex<Vec<String>>,
}

impl World {
    pub(crate) fn new(policy: u8) -> World {
        World {
            policy,
            ..World::default()
        }
    }

    pub(crate) fn put(&self, url: &str, content: &[u8], modified_s: Option<i64>) {
        let mut files = self.files.lock().unwrap();
        files.insert(url.to_owned(), (content.to_vec(), modified_s));
    }

    pub(crate) fn put_commit(&self, id: &str, files: &[(&'static str, &'static str)]) {
        let mut commits = self.commits.lock().unwrap();
        commits.insert(id.to_owned(), files.to_vec());
    }

    /// What was asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

struct Nothing;

impl Serving for Nothing {}

fn failed(owner: Owner, why: &str) -> FetchError {
    FetchError {
        owner,
        source: why.to_owned().into(),
    }
}

impl Egress for World {
    fn policy(&self) -> ContentHash {
        [self.policy; 32]
    }

    fn variables(&self) -> Vec<(String, String)> {
        vec![("HTTP_PROXY".to_owned(), "http://127.0.0.1:8".to_owned())]
    }

    fn prepare(&self, job: &mut Job) {
        job.env.push("PREPARED=1".to_owned());
    }

    fn serve(&self, _command: &mut Started) -> std::io::Result<Box<dyn Serving>> {
        Ok(Box::new(Nothing))
    }

    fn names(&self, url: &str) -> Result<(), String> {
        match url.contains("://no") {
            true => Err("it is not on the list".to_owned()),
            false => Ok(()),
        }
    }

    fn download(&self, url: &str, to: &mut File, within: Within) -> Result<Download, FetchError> {
        self.asked.lock().unwrap().push(url.to_owned());
        let files = self.files.lock().unwrap();
        let Some((content, modified_s)) = files.get(url) else {
            return Err(failed(Owner::Host, "nobody is there"));
        };
        if content.len() as u64 > within.bytes {
            return Err(failed(Owner::Submission, "too long"));
        }
        to.write_all(content).unwrap();
        Ok(Download {
            digest: Digest::of(content),
            bytes: content.len() as u64,
            modified_s: *modified_s,
        })
    }

    fn checkout(
        &self,
        url: &str,
        commit: &str,
        dir: &Path,
        _within: Within,
    ) -> Result<(), FetchError> {
        self.asked.lock().unwrap().push(format!("{url}#{commit}"));
        let commits = self.commits.lock().unwrap();
        let Some(files) = commits.get(commit) else {
            return Err(failed(Owner::Submission, "no such commit"));
        };
        std::fs::create_dir(dir).unwrap();
        for (path, content) in files {
            let path = dir.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        Ok(())
    }
}
