use super::*;

fn manifest(layers: usize) -> String {
    let digest = Digest::of(b"x");
    let layer = format!(r#"{{"mediaType":"a/b","digest":"{digest}","size":1}}"#);
    let layers = vec![layer; layers].join(",");
    format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"{CONFIG}","digest":"{digest}","size":2,"data":"e30="}},"layers":[{layers}],"subject":null}}"#
    )
}

#[test]
fn a_manifest_reads_back_and_unknown_members_do_not_matter() {
    let read = Manifest::parse(manifest(2).as_bytes()).unwrap();
    assert_eq!(read.layers.len(), 2);
    let json = serde_json::to_vec(&read).unwrap();
    assert_eq!(Manifest::parse(&json).unwrap(), read);
}

#[test]
fn limits_hold() {
    assert!(Manifest::parse(manifest(128).as_bytes()).is_ok());
    let error = Manifest::parse(manifest(129).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("129 layers"), "{error}");
    let long = format!("{}{}", manifest(1), " ".repeat(DOCUMENT_BYTES_MAX as usize));
    let error = Manifest::parse(long.as_bytes()).unwrap_err();
    assert!(
        error.to_string().contains("the limit is 4194304"),
        "{error}"
    );
    let deep = "[".repeat(100_000);
    assert!(Manifest::parse(deep.as_bytes()).is_err());
}

#[test]
fn what_is_no_image_is_refused_by_name() {
    let one = manifest(1);
    for (from, to, reason) in [
        (
            r#""schemaVersion":2"#,
            r#""schemaVersion":1"#,
            "schema version 1",
        ),
        (
            CONFIG,
            "application/vnd.cncf.helm.config.v1+json",
            "it is no image",
        ),
        (
            r#""size":1"#,
            r#""size":-1"#,
            "not what the image specification says",
        ),
        (
            "sha256:",
            "sha512:",
            "not what the image specification says",
        ),
        (
            r#""schemaVersion":2"#,
            r#""schemaVersion":2,"schemaVersion":2"#,
            "not what the image specification says",
        ),
        (
            r#""schemaVersion":2"#,
            r#""schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json""#,
            "it is no image",
        ),
    ] {
        let json = one.replace(from, to);
        assert_ne!(json, one);
        let error = Manifest::parse(json.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
}
