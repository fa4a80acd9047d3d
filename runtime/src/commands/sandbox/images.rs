//! `gradus sandbox image`, and images that jobs run on.

use super::{CommandError, print};
use crate::bytes::ByteSize;
use crate::cli::sandbox::{
    ExportArgs, ImageArgs, ImageCommand, ImageGcArgs, ImportArgs, ListArgs, RemoveArgs,
};
use crate::exit::Exit;
use gradus_builder::{collect_caches, find, user_of};
use gradus_image::layout::{
    ExportImageOptions, ImageConfig, ImportOptions, Source, export, import, read_config,
};
use gradus_image::store::{GcPolicy, ImageRecord, Store, StoreError};
use gradus_sandbox::sandbox::Sandbox;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

/// The store that commands share.
pub(super) fn store(sandbox: &Sandbox) -> Result<Store, StoreError> {
    Store::open(&sandbox.state().images())
}

pub(super) fn run(sandbox: &Sandbox, arguments: &ImageArgs) -> Result<Exit, CommandError> {
    let store = store(sandbox)?;
    match &arguments.command {
        ImageCommand::List(arguments) => list(&store, arguments),
        ImageCommand::Import(arguments) => take(&store, arguments),
        ImageCommand::Export(arguments) => write(&store, arguments),
        ImageCommand::Remove(arguments) => remove(&store, arguments),
        ImageCommand::Gc(arguments) => collect(sandbox, &store, arguments),
    }
}

/// An image on one line.
#[derive(Serialize)]
struct Row {
    names: Vec<String>,
    image: String,
    manifest: Option<String>,
    layers: usize,
    bytes: u64,
}

fn list(store: &Store, arguments: &ListArgs) -> Result<Exit, CommandError> {
    let mut names: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (name, image) in store.names()? {
        names.entry(image).or_default().push(name);
    }
    let mut rows = Vec::new();
    for image in store.images()? {
        let mut bytes = 0;
        for layer in &image.layers {
            bytes += store
                .layer(&layer.diff_id)?
                .map_or(0, |layer| layer.unpacked_bytes);
        }
        rows.push(Row {
            names: names.remove(&image.config).unwrap_or_default(),
            image: image.config.to_string(),
            manifest: image.manifest.map(|digest| digest.to_string()),
            layers: image.layers.len(),
            bytes,
        });
    }
    rows.sort_by(|one, other| one.names.cmp(&other.names));
    if arguments.json {
        print(&(serde_json::to_string_pretty(&rows).expect("plain data") + "\n"))?;
        return Ok(Exit::Done);
    }
    let mut text = format!(
        "{:32}  {:20}  {:>6}  {:>10}\n",
        "name", "image", "layers", "size"
    );
    for row in &rows {
        let names = match row.names.is_empty() {
            true => vec!["-".to_owned()],
            false => row.names.clone(),
        };
        for name in names {
            let _ = writeln!(
                text,
                "{name:32}  {:20}  {:>6}  {:>10}",
                &row.image[..19],
                row.layers,
                ByteSize(row.bytes).to_string()
            );
        }
    }
    print(&text)?;
    Ok(Exit::Done)
}

fn take(store: &Store, arguments: &ImportArgs) -> Result<Exit, CommandError> {
    let failed = |source| CommandError::Import {
        layout: arguments.layout.clone(),
        source: Box::new(source),
    };
    let source = Source::open(&arguments.layout).map_err(failed)?;
    let pin = store.pin()?;
    let options = ImportOptions {
        reference: arguments.reference.clone(),
        ..ImportOptions::default()
    };
    let imported = import(&source, store, &pin, &options).map_err(failed)?;
    if let Some(name) = &arguments.tag {
        store.tag(name, &imported.image.config)?;
    }
    print(&format!("{}\n", imported.image.config))?;
    Ok(Exit::Done)
}

fn write(store: &Store, arguments: &ExportArgs) -> Result<Exit, CommandError> {
    let (pin, image) = (store.pin()?, found(store, &arguments.image)?);
    let image = store.pin_image(&pin, &image.config)?;
    let tag = arguments.image.rsplit_once(':').map(|(_, tag)| tag);
    let default = tag.filter(|tag| !tag.contains('/') && tag.len() <= 128);
    let reference = arguments.reference.as_deref().or(default);
    let options = ExportImageOptions {
        reference: Some(reference.unwrap_or("latest").to_owned()),
        ..ExportImageOptions::default()
    };
    let manifest = export(store, &image, &arguments.layout, &options)?;
    print(&format!("{manifest}\n"))?;
    Ok(Exit::Done)
}

fn remove(store: &Store, arguments: &RemoveArgs) -> Result<Exit, CommandError> {
    for name in &arguments.names {
        if store.resolve(name)?.is_none() {
            return Err(CommandError::NoImage(name.clone()));
        }
        store.untag(name)?;
    }
    Ok(Exit::Done)
}

fn collect(
    sandbox: &Sandbox,
    store: &Store,
    arguments: &ImageGcArgs,
) -> Result<Exit, CommandError> {
    gradus_builder::sweep(sandbox)?;
    release(sandbox)?;
    // What nobody can name any more goes, what a build may use again stays until it is old.
    let nameless = store.remove_nameless()?;
    let policy = GcPolicy {
        bytes_max: arguments.size.map(|size| size.0),
        age_max: arguments.age,
    };
    let done = store.collect(&policy)?;
    let caches = match arguments.age {
        Some(age) => collect_caches(&sandbox.state().builds(), age)?,
        None => 0,
    };
    print(&format!(
        "{} images, {} layers, {} in all; {} are left\n",
        done.images.len() + nameless,
        done.layers.len(),
        ByteSize(done.bytes_freed + caches),
        ByteSize(done.bytes_left),
    ))?;
    Ok(Exit::Done)
}

fn found(store: &Store, text: &str) -> Result<ImageRecord, CommandError> {
    find(store, text)?.ok_or_else(|| CommandError::NoImage(text.to_owned()))
}

/// An image that a job runs on.
pub(super) struct RunImage {
    store: Store,
    image: ImageRecord,
    config: ImageConfig,
}

/// An image that stays as long as a job does; let go when this is dropped.
pub(super) struct Kept {
    store: Store,
    /// none where the job outlives this process
    lease: Option<String>,
}

impl RunImage {
    pub(super) fn find(sandbox: &Sandbox, name: &str) -> Result<RunImage, CommandError> {
        let store = store(sandbox)?;
        let image = found(&store, name)?;
        let config = read_config(&store, &image)?;
        Ok(RunImage {
            store,
            image,
            config,
        })
    }

    /// Keeps the image until the job is removed, also if this process ends before: `gc` lets it go then.
    pub(super) fn keep(self, job: &str) -> Result<Kept, CommandError> {
        let lease = lease_of(job);
        self.store.lease(&lease, &self.image.config)?;
        Ok(Kept {
            store: self.store,
            lease: Some(lease),
        })
    }

    pub(super) fn layers(&self) -> Result<Vec<PathBuf>, CommandError> {
        Ok(self.store.layer_dirs(&self.image)?)
    }

    pub(super) fn env(&self) -> Vec<String> {
        self.config.config.env.clone()
    }

    pub(super) fn cwd(&self) -> &str {
        match self.config.config.working_dir.as_str() {
            "" => "/",
            path => path,
        }
    }

    pub(super) fn user(&self) -> Result<(u32, u32), CommandError> {
        Ok(user_of(&self.layers()?, &self.config.config.user)?)
    }

    /// Its program and arguments, or what takes their place.
    pub(super) fn argv(
        &self,
        entrypoint: Option<&str>,
        command: &[String],
    ) -> Result<Vec<String>, CommandError> {
        let run = &self.config.config;
        let mut argv = match entrypoint {
            Some("") => Vec::new(),
            Some(program) => vec![program.to_owned()],
            None => run.entrypoint.clone().unwrap_or_default(),
        };
        match (command.is_empty(), entrypoint) {
            (false, _) => argv.extend_from_slice(command),
            (true, None) => argv.extend(run.cmd.clone().unwrap_or_default()),
            (true, Some(_)) => {}
        }
        if argv.is_empty() {
            return Err(CommandError::NoProgram);
        }
        Ok(argv)
    }
}

impl Kept {
    /// The job outlives this process: gc lets the image go when the job is gone.
    pub(super) fn leave(mut self) {
        self.lease = None;
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(lease) = &self.lease {
            // What stays is let go by gc.
            let _ = self.store.release(lease);
        }
    }
}

fn lease_of(job: &str) -> String {
    format!("job:{job}")
}

/// Lets images go whose jobs are gone.
pub(super) fn release(sandbox: &Sandbox) -> Result<(), CommandError> {
    if !sandbox.state().images().exists() {
        return Ok(());
    }
    let store = store(sandbox)?;
    let jobs = sandbox.state().names()?;
    for (lease, _) in store.leases()? {
        let Some(job) = lease.strip_prefix("job:") else {
            continue;
        };
        if !jobs.iter().any(|name| name == job) {
            match store.release(&lease) {
                Err(StoreError::NoLease { .. }) => {}
                other => other?,
            }
        }
    }
    Ok(())
}
