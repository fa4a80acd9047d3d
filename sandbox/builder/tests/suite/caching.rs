//! Steps that were done before, and digests that are the same twice.

use gradus_builder::{Built, Egress, Network, Serving};
use gradus_image::dockerfile::ContentHash;
use gradus_image::store::GcPolicy;
use gradus_sandbox::job::Job;
use gradus_sandbox::sandbox::Started;
use std::time::Duration;

use crate::yard::{With, Yard};

fn cached(built: &Built) -> Vec<bool> {
    built.steps.iter().map(|step| step.cached).collect()
}

#[test]
fn a_step_is_done_again_when_what_it_sees_has_changed() {
    let Some(yard) = Yard::new() else { return };
    yard.write("a", "1");
    let text =
        "FROM base\nARG V=1\nENV E=1\nRUN echo $V $E > /r\nCOPY a /a\nRUN cat /a\nWORKDIR /w";
    let with = |args: &'static [(&str, &str)]| With {
        args,
        ..With::default()
    };
    let first = yard.build(text);
    // FROM, ENV, RUN, COPY, RUN, WORKDIR; configuration has nothing to be known.
    assert_eq!(cached(&first), [true, false, false, false, false, false]);
    let again = yard.build(text);
    assert_eq!(cached(&again), [true, false, true, true, true, true]);
    assert_eq!(first.image, again.image);
    yard.write("b", "not copied");
    assert_eq!(cached(&yard.build(text)), cached(&again));
    yard.write("a", "2");
    assert_eq!(
        cached(&yard.build(text)),
        [true, false, true, false, false, false]
    );
    let other = yard.build_with(text, &with(&[("V", "2")])).unwrap();
    assert_eq!(cached(&other), [true, false, false, false, false, false]);
    // A value that nothing sees changes nothing.
    let unseen = yard
        .build_with(text, &with(&[("V", "1"), ("UNUSED", "x")]))
        .unwrap();
    assert!(cached(&unseen)[2]);
    let no_cache = With {
        no_cache: true,
        ..With::default()
    };
    let fresh = yard.build_with(text, &no_cache).unwrap();
    assert_eq!(cached(&fresh), cached(&first));
}

#[test]
fn two_builds_without_what_was_known_give_one_digest() {
    let Some(yard) = Yard::new() else { return };
    yard.write("src/a", "a");
    yard.write("src/b/c", "c");
    let text = "FROM base AS one\nCOPY src /src\nRUN date > /dev/null; for i in 9 3 7; do echo $i > /f$i; done; rm /etc/group; mkdir -p /x/y\n\
        FROM base\nWORKDIR /w\nCOPY --from=one /x /f* ./\nADD src /s\nRUN touch late && ln -s f9 l\nENV A=b\nCMD [\"x\"]";
    let with = With {
        no_cache: true,
        ..With::default()
    };
    let first = yard.build_with(text, &with).unwrap();
    std::thread::sleep(Duration::from_millis(1100));
    // The context anew, as another clone would have it.
    std::fs::remove_dir_all(yard.context()).unwrap();
    yard.write("src/b/c", "c");
    yard.write("src/a", "a");
    let second = yard.build_with(text, &with).unwrap();
    assert_eq!(first.image, second.image);
}

#[test]
fn what_was_collected_is_done_again() {
    let Some(yard) = Yard::new() else { return };
    let text = "FROM base\nRUN echo x > /x";
    yard.build(text);
    assert!(yard.build(text).steps[1].cached);
    // Without a name the image goes, and its layer is that of a step: kept until it is old.
    assert_eq!(yard.store.remove_nameless().unwrap(), 1);
    yard.store.collect(&GcPolicy::default()).unwrap();
    assert!(yard.build(text).steps[1].cached);
    yard.store.remove_nameless().unwrap();
    let policy = GcPolicy {
        bytes_max: Some(3 << 20),
        age_max: Some(Duration::from_secs(3600)),
    };
    yard.store.collect(&policy).unwrap();
    let tiny = GcPolicy {
        bytes_max: Some(1),
        age_max: None,
    };
    let lease = yard.store.resolve("base:latest").unwrap().unwrap();
    yard.store.lease("base", &lease.config).unwrap();
    assert_eq!(yard.store.collect(&tiny).unwrap().layers.len(), 1);
    assert!(!yard.build(text).steps[1].cached);
    yard.store.release("base").unwrap();
}

/// A policy that nobody asks anything of.
struct Silent(u8);

struct Nothing;

impl Serving for Nothing {}

impl Egress for Silent {
    fn policy(&self) -> ContentHash {
        [self.0; 32]
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
}

#[test]
fn the_networks_policy_is_part_of_a_commands_key() {
    let Some(yard) = Yard::new() else { return };
    let text = "FROM base\nRUN echo $HTTP_PROXY $PREPARED\nRUN --network=none echo without:$HTTP_PROXY$PREPARED";
    let build = |network: Network<'_>| {
        let with = With {
            network,
            ..With::default()
        };
        cached(&yard.build_with(text, &with).unwrap())
    };
    let (one, two) = (Silent(1), Silent(2));
    assert_eq!(build(Network::None), [true, false, false]);
    assert_eq!(build(Network::Egress(&one)), [true, false, false]);
    let said = yard.said.borrow().clone();
    assert!(
        said.contains("http://127.0.0.1:8 1\n") && said.contains("without:\n"),
        "{said}"
    );
    assert_eq!(build(Network::Egress(&one)), [true, true, true]);
    assert_eq!(build(Network::Egress(&two)), [true, false, false]);
}
