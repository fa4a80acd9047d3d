use super::*;

/// As Docker writes it, with what it leaves null.
const DOCKER: &str = r#"{"architecture":"amd64","config":{"Hostname":"","User":"1000:1000","ExposedPorts":{"80/tcp":{},"9/udp":{}},
"Env":["PATH=/bin","A=b=c"],"Cmd":["sh","-c","x"],"Entrypoint":null,"Volumes":null,"WorkingDir":"/w","OnBuild":null,
"Labels":{"b":"2","a":"1"},"StopSignal":"SIGTERM","Healthcheck":{"Test":["CMD","true"],"Interval":1000000000},"ArgsEscaped":true},
"created":"2024-01-01T00:00:00Z","docker_version":"20","history":[{"created":"2024-01-01T00:00:00Z","created_by":"RUN x",
"comment":"c"},{"empty_layer":true}],"os":"linux","os.features":["x"],"variant":"v2",
"rootfs":{"type":"layers","diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}"#;

#[test]
fn a_configuration_reads_back_with_what_is_not_known() {
    let config = ImageConfig::parse(DOCKER.as_bytes()).unwrap();
    assert_eq!(config.platform.to_string(), "linux/amd64/v2");
    assert_eq!(config.config.env, ["PATH=/bin", "A=b=c"]);
    assert_eq!(config.config.entrypoint, None);
    assert_eq!(config.config.exposed_ports.len(), 2);
    assert!(config.config.volumes.is_empty());
    assert_eq!(config.config.extra["ArgsEscaped"], true);
    assert_eq!(config.extra["os.features"][0], "x");
    assert!(!config.extra.contains_key("architecture"));
    assert_eq!(config.history[0].extra["comment"], "c");
    assert!(config.history[1].empty_layer);
    let json = config.to_json();
    assert_eq!(ImageConfig::parse(&json).unwrap(), config);
    assert_eq!(ImageConfig::parse(&json).unwrap().to_json(), json);
}

#[test]
fn configurations_that_cannot_be_run_are_refused() {
    for (from, to) in [
        ("A=b=c", "A=b\\u0000c"),
        ("\"sh\"", "\"sh\\u0000\""),
        ("1000:1000", "\\u0000"),
        ("\"layers\"", "\"other\""),
        ("\"amd64\"", "7"),
        ("[\"PATH=/bin\",\"A=b=c\"]", "{}"),
        ("sha256:e3", "sha256:E3"),
    ] {
        let json = DOCKER.replace(from, to);
        assert_ne!(json, DOCKER);
        assert!(ImageConfig::parse(json.as_bytes()).is_err(), "{to}");
    }
    for json in ["", "null", "{}", "[]", r#"{"os":"linux"}"#] {
        assert!(ImageConfig::parse(json.as_bytes()).is_err(), "{json}");
    }
}
