//! Steps that were done before, and digests that are the same twice.

use gradus_builder::{Built, Network};
use gradus_image::store::GcPolicy;
use std::time::Duration;

use crate::world::World;
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
    let (one, two) = (World::new(1), World::new(2));
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

/// A base that was made anew: what is copied from it is what counts, and not the layers that it has.
#[test]
fn what_is_copied_from_a_stage_is_known_by_its_content() {
    let Some(yard) = Yard::new() else { return };
    yard.write("other", "1");
    yard.write("tool", "#!/bin/sh\n");
    let text = "FROM base AS tools\nCOPY other /other\nCOPY --chmod=755 tool /opt/bin/tool\nRUN ln -s tool /opt/bin/t\n\
        FROM base\nCOPY --from=tools /opt/bin/ /bin/\nRUN --mount=type=bind,from=0,source=/opt,target=/o cat /o/bin/tool\nRUN tool";
    let last = |built: &Built| cached(built)[5..].to_vec();
    let first = yard.build(text);
    assert_eq!(last(&first), [false, false, false]);
    assert_eq!(last(&yard.build(text)), [true, true, true]);
    // Another layer beneath, the same files: all that follows is known, and the image is the same.
    yard.write("other", "2");
    let again = yard.build(text);
    assert_eq!(cached(&again)[..4], [true, false, false, false]);
    assert_eq!(last(&again), [true, true, true]);
    assert_eq!(again.image, first.image);
    // By number as by name.
    let by_number = yard.build(&text.replace("--from=tools", "--from=0"));
    assert_eq!(last(&by_number), [true, true, true]);
    // Content, permissions, owner, links and attributes each make another one; what is not copied does not.
    for change in [
        "RUN echo >> /opt/bin/tool",
        "RUN chmod 700 /opt/bin/tool",
        "RUN chown 7:8 /opt/bin/tool",
        "RUN ln -sf none /opt/bin/t",
        "RUN ln /opt/bin/tool /opt/bin/hard",
        "RUN touch /opt/bin/new",
        "RUN mkdir /opt/bin/directory",
        "RUN touch -d @77 /opt/bin/tool",
    ] {
        let changed = text.replace(
            "RUN ln -s tool /opt/bin/t\n",
            &format!("RUN ln -s tool /opt/bin/t\n{change}\n"),
        );
        let built = yard.build(&changed);
        assert_eq!(cached(&built)[6..8], [false, false], "{change}");
    }
    for same in [
        "RUN touch /opt/bin/tool",
        "RUN cp -p /opt/bin/tool /x && mv /x /opt/bin/tool",
        "RUN rm -r /tmp/* || touch /etc/new",
    ] {
        let changed = text.replace(
            "RUN ln -s tool /opt/bin/t\n",
            &format!("RUN ln -s tool /opt/bin/t\n{same}\n"),
        );
        let built = yard.build(&changed);
        assert_eq!(cached(&built)[6..], [true, true, true], "{same}");
    }
}

#[test]
fn what_is_copied_from_an_image_is_known_by_its_content() {
    let Some(yard) = Yard::new() else { return };
    yard.write("uv", "a program");
    let image = |rest: &str| {
        let with = With {
            names: &["tools:1"],
            ..With::default()
        };
        yard.build_with(&format!("FROM scratch\nCOPY uv /uv\n{rest}"), &with)
            .unwrap()
    };
    let text = "FROM base\nCOPY --from=tools:1 /uv /bin/";
    let one = image("");
    assert_eq!(cached(&yard.build(text)), [true, false]);
    let two = image("COPY <<E /version\n2\nE\nLABEL a=b");
    assert_ne!(one.image, two.image);
    assert_eq!(cached(&yard.build(text)), [true, true]);
    yard.write("uv", "another program");
    image("");
    assert_eq!(cached(&yard.build(text)), [true, false]);
}
