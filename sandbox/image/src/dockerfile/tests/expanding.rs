use super::super::expand::{Budget, ExpandError, Style, Variables, expand, expand_words};
use super::*;

fn variables() -> Variables {
    let pairs = [
        ("a", "one"),
        ("empty", ""),
        ("path", "/usr/local/lib/x.tar.gz"),
        ("sp", "x  y"),
        ("star", "a*b"),
    ];
    pairs
        .iter()
        .map(|(n, v)| (n.to_string(), v.to_string()))
        .collect()
}

fn put_in(text: &str) -> Result<String, ExpandError> {
    expand(
        text,
        &variables(),
        Style::arguments('\\'),
        &mut Budget::default(),
    )
}

#[test]
fn every_operator_means_what_it_means_in_a_shell() {
    // The right side is what `bash -c` prints for the same text with these variables, a backslash before a blank aside.
    for (text, expected) in [
        ("$a", "one"),
        ("${a}", "one"),
        ("$unset", ""),
        ("x${a}y$a", "xoneyone"),
        ("${a:-w}", "one"),
        ("${empty:-w}", "w"),
        ("${empty-w}", ""),
        ("${unset-w}", "w"),
        ("${unset:-$a}", "one"),
        ("${unset:-${empty:-${a}}}", "one"),
        ("${a:+w}", "w"),
        ("${empty:+w}", ""),
        ("${empty+w}", "w"),
        ("${unset+w}", ""),
        ("${a:?no}", "one"),
        ("${empty?no}", ""),
        ("${path#*/}", "usr/local/lib/x.tar.gz"),
        ("${path##*/}", "x.tar.gz"),
        ("${path%.*}", "/usr/local/lib/x.tar"),
        ("${path%%.*}", "/usr/local/lib/x"),
        ("${path#nothing}", "/usr/local/lib/x.tar.gz"),
        ("${path%.g?}", "/usr/local/lib/x.tar"),
        ("${a/n/N}", "oNe"),
        ("${path/\\//_}", "_usr/local/lib/x.tar.gz"),
        ("${path//\\//_}", "_usr_local_lib_x.tar.gz"),
        ("${path//l*b/L}", "/usr/L/x.tar.gz"),
        ("${star#a\\*}", "b"),
        ("${star%\\*b}", "a"),
        ("'$a'", "$a"),
        ("\"$a\"", "one"),
        ("\"a'b'$a\"", "a'b'one"),
        ("\\$a", "$a"),
        ("\"\\$a\"", "$a"),
        ("\"\\n\"", "\\n"),
        ("\\\\", "\\"),
        ("a\\ b", "a b"),
        ("$", "$"),
        ("a$", "a$"),
        ("$.x", "$.x"),
        ("$1x", "x"),
        ("${unset:-'$a'}", "$a"),
        ("ä$a", "äone"),
    ] {
        assert_eq!(put_in(text).unwrap(), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_expanded_says_why() {
    for (text, part) in [
        ("'a", "a closing '"),
        ("\"a", "a closing \""),
        ("${a", "expected }"),
        ("${a:-b", "expected }"),
        ("${a/b}", "expected /"),
        ("${}", "names no variable"),
        ("${:-x}", "names no variable"),
        ("${{x}}", "names no variable"),
        ("${a@Q}", "unknown operator"),
        ("${a:3}", "unknown operator"),
        ("${a^^}", "unknown operator"),
        ("${unset:?say it}", "unset: say it"),
        ("${unset?}", "it has no value"),
        ("${empty:?}", "it is empty"),
        ("${a#\\x}", "pattern of ${a"),
    ] {
        let error = put_in(text).expect_err(text);
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}

#[test]
fn words_split_at_blanks_of_values_but_not_of_quotes() {
    let words = |text: &str| {
        let style = Style::arguments('\\');
        expand_words(text, &variables(), style, &mut Budget::default()).unwrap()
    };
    assert_eq!(words("a $sp b"), ["a", "x", "y", "b"]);
    assert_eq!(words("\"$sp\" 'c d'e f\\ g"), ["x  y", "c de", "f g"]);
    assert!(words("  $unset ").is_empty());
}

#[test]
fn nesting_has_an_end_and_does_not_overflow_the_stack() {
    let nested = |n: usize| format!("{}x{}", "${u:-".repeat(n), "}".repeat(n));
    assert_eq!(put_in(&nested(NESTING_MAX)).unwrap(), "x");
    let refused = put_in(&nested(NESTING_MAX + 1));
    assert!(matches!(refused, Err(ExpandError::Nesting)));
    assert!(matches!(
        put_in(&nested(150_000)),
        Err(ExpandError::Nesting)
    ));
}

#[test]
fn what_doubles_on_each_line_is_refused_before_it_is_large() {
    let mut text = "ARG a0=xxxxxxxxxxxxxxxx\n".to_owned();
    for i in 0..40 {
        text += &format!("LABEL l{i}=$a{i}$a{i}\nARG a{}=$a{i}$a{i}\n", i + 1);
    }
    let error = resolved(&format!("FROM image\n{text}"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("an environment of at most 131072 bytes"),
        "{error}"
    );
    let labels = (0..40_000)
        .map(|i| format!("l{i}=$a"))
        .collect::<Vec<_>>()
        .join(" ");
    let text = format!("FROM image\nARG a={}\nLABEL {labels}", "x".repeat(1000));
    let error = chain(&resolved(&text).unwrap_err());
    assert!(error.contains("grow to more than 1048576 bytes"), "{error}");
    let replaced = format!(
        "FROM image\nARG a={}\nLABEL x=${{a//x/{}}}",
        "x".repeat(9000),
        "y".repeat(900)
    );
    let error = chain(&resolved(&replaced).unwrap_err());
    assert!(error.contains("grow to more than"), "{error}");
}

#[test]
fn variables_of_before_the_instruction_are_put_in() {
    let config = config("ENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc");
    let get = |name: &str| {
        config
            .env
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    };
    assert_eq!((get("def"), get("ghi")), (Some("hello"), Some("bye")));
}

#[test]
fn env_stands_above_arg_wherever_it_is_written() {
    for text in ["ARG v=arg\nENV v=env", "ENV v=env\nARG v=arg"] {
        assert_eq!(
            config(&format!("{text}\nLABEL l=$v")).labels["l"],
            "env",
            "{text}"
        );
    }
    let image = ImageConfig {
        env: vec![("v".to_owned(), "image".to_owned())],
        ..ImageConfig::default()
    };
    let text = "FROM image\nARG v=arg\nLABEL l=$v";
    let resolved = resolved_on(text, Options::default(), &image).unwrap();
    assert_eq!(resolved.config.labels["l"], "image");
}

#[test]
fn arguments_reach_their_stage_and_those_built_on_it_only() {
    let text = "ARG v=outer\nFROM image AS one\nLABEL a=$v\nARG v\nLABEL b=$v\nFROM one\nLABEL c=$v\nARG v=inner\nLABEL d=$v";
    let labels = resolved(text).unwrap().config.labels;
    let get = |name: &str| labels[name].as_str();
    assert_eq!(
        (get("a"), get("b"), get("c"), get("d")),
        ("", "outer", "outer", "inner")
    );
    let labels = resolved("FROM image AS one\nARG v=x\nFROM image\nLABEL a=[$v]")
        .unwrap()
        .config
        .labels;
    assert_eq!(labels["a"], "[]");
}

#[test]
fn given_arguments_replace_defaults_where_an_arg_takes_them() {
    let options = || Options {
        args: [
            ("v".to_owned(), "given".to_owned()),
            ("other".to_owned(), "x".to_owned()),
        ]
        .into(),
        ..Options::default()
    };
    let text = "ARG v=1\nFROM image\nARG v=2\nLABEL a=$v b=[$other]";
    let labels = resolved_with(text, options()).unwrap().config.labels;
    assert_eq!(
        (labels["a"].as_str(), labels["b"].as_str()),
        ("given", "[]")
    );
    let build = parse(text.as_bytes()).unwrap();
    let notes = build.plan(options()).unwrap().notes;
    assert!(
        notes.iter().any(|(_, n)| n.contains("argument other")),
        "{notes:?}"
    );
}

#[test]
fn platform_and_proxies_are_there_without_being_declared() {
    let options = Options {
        args: [("HTTP_PROXY".to_owned(), "http://p".to_owned())].into(),
        ..Options::default()
    };
    let text = "FROM image:$TARGETARCH\nLABEL a=[$TARGETARCH]\nARG TARGETARCH\nARG HTTP_PROXY\nLABEL b=$TARGETARCH\nRUN x";
    let build = parse(text.as_bytes()).unwrap();
    let plan = build.plan(options.clone()).unwrap();
    assert!(matches!(&plan.stages[0].base, Base::Image(i) if i.tag.as_deref() == Some("amd64")));
    assert_eq!(
        plan.proxies(),
        [("HTTP_PROXY".to_owned(), "http://p".to_owned())]
    );
    let resolved = resolved_with(text, options).unwrap();
    assert_eq!(resolved.config.labels["a"], "[]");
    assert_eq!(resolved.config.labels["b"], "amd64");
    let env = &resolved.steps.last().unwrap().scope.env;
    assert!(env.iter().all(|(n, _)| n != "HTTP_PROXY"), "{env:?}");
    assert!(
        env.iter().any(|(n, v)| n == "TARGETARCH" && v == "amd64"),
        "{env:?}"
    );
}

#[test]
fn commands_are_left_to_the_shell() {
    for text in [
        "RUN echo $a",
        "CMD echo $a",
        "ENTRYPOINT echo $a",
        "HEALTHCHECK CMD echo $a",
    ] {
        let resolved = resolved(&format!("FROM image\nARG a=1\n{text}")).unwrap();
        assert!(format!("{resolved:?}").contains("echo $a\""), "{text}");
    }
}

#[test]
fn the_escape_directive_changes_the_escape_character() {
    let text = "# escape=`\nFROM image\nENV a=C:\\x b=`$c\nRUN one `\n two";
    let resolved = resolved(text).unwrap();
    assert_eq!(resolved.config.env[0].1, "C:\\x");
    assert_eq!(resolved.config.env[1].1, "$c");
    assert!(format!("{:?}", resolved.steps).contains("one  two"));
}
