use super::*;

fn order(text: &str, target: Option<&str>) -> Result<Vec<usize>, DockerfileError> {
    let options = Options {
        target: target.map(str::to_owned),
        ..Options::default()
    };
    let build = parse(text.as_bytes())?;
    Ok(build
        .plan(options)?
        .stages
        .iter()
        .map(|s| s.index)
        .collect())
}

const FIVE: &str = "FROM a AS base\nFROM base AS unused\nFROM x AS tools\nFROM base AS main\nCOPY --from=tools /x /y\nFROM main AS test\nRUN --mount=from=unused,target=/u x";

#[test]
fn only_what_the_target_needs_is_built_and_in_order() {
    assert_eq!(order(FIVE, Some("main")).unwrap(), [2, 0, 3]);
    assert_eq!(order(FIVE, Some("MAIN")).unwrap(), [2, 0, 3]);
    assert_eq!(order(FIVE, Some("3")).unwrap(), [2, 0, 3]);
    assert_eq!(order(FIVE, Some("tools")).unwrap(), [2]);
    let all = order(FIVE, None).unwrap();
    assert_eq!((all.len(), all.last()), (5, Some(&4)));
}

#[test]
fn an_unknown_target_names_the_stages() {
    let error = order(FIVE, Some("prod")).unwrap_err().to_string();
    assert!(error.contains("0 (base), 1 (unused), 2 (tools)"), "{error}");
}

#[test]
fn stages_in_a_circle_are_refused_with_the_circle() {
    let text = "FROM x AS a\nCOPY --from=b /x /y\nFROM x AS b\nCOPY --from=c /x /y\nFROM x AS c\nCOPY --from=a /x /y";
    let error = order(text, None).unwrap_err();
    assert!(matches!(error, DockerfileError::StageCycle { .. }));
    assert!(error.to_string().contains("c -> a -> b -> c"), "{error}");
    let own = order("FROM x AS a\nCOPY --from=a /x /y", None).unwrap_err();
    assert!(own.to_string().contains("a -> a"), "{own}");
    // A circle that the target does not need is none of its business.
    assert_eq!(order(&format!("{text}\nFROM x AS d"), None).unwrap(), [3]);
}

#[test]
fn stages_of_one_name_are_refused() {
    let error = order("FROM x AS a\nFROM y AS A", None).unwrap_err();
    assert!(matches!(
        error,
        DockerfileError::DuplicateStage {
            line: 2,
            first: 1,
            ..
        }
    ));
}

#[test]
fn a_name_that_only_a_later_stage_has_is_an_image() {
    let build = parse(b"FROM python AS base\nFROM base AS python").unwrap();
    let plan = build.plan(Options::default()).unwrap();
    assert!(matches!(&plan.stages[0].base, Base::Image(i) if i.name == "python"));
    assert_eq!(plan.stages[1].base, Base::Stage(0));
}

#[test]
fn from_takes_tags_digests_platforms_and_arguments() {
    let digest = format!("sha256:{}", "0f".repeat(32));
    let text = format!(
        "ARG tag=3.12\nARG full=python:${{tag}}-slim\nFROM --platform=linux/arm64/v8 $full AS a\nFROM host:5000/x/y:T_1@{digest}\nFROM scratch"
    );
    let build = parse(text.as_bytes()).unwrap();
    let base = |target: &str| {
        let options = Options {
            target: Some(target.to_owned()),
            ..Options::default()
        };
        build.plan(options).unwrap().stages.pop().unwrap()
    };
    let a = base("a");
    assert!(matches!(&a.base, Base::Image(i) if i.to_string() == "python:3.12-slim"));
    assert_eq!(a.platform.to_string(), "linux/arm64/v8");
    assert!(matches!(&base("1").base, Base::Image(i)
        if i.name == "host:5000/x/y" && i.tag.as_deref() == Some("T_1") && i.digest.as_ref() == Some(&digest)));
    assert_eq!(base("2").base, Base::Scratch);
}

#[test]
fn from_that_names_no_image_is_refused() {
    for (text, part) in [
        ("FROM $none", "a variable without a value"),
        ("FROM Upper", "lower case"),
        ("FROM a:", "a tag"),
        ("FROM a@md5:0", "64 digits"),
        ("FROM a b", "AS"),
        ("FROM a AS 1x", "begins with a letter"),
        ("FROM a AS", "AS"),
        ("FROM a AS b c", "newline"),
        ("FROM", "at least one argument"),
        ("FROM a//b", "lower case"),
        ("FROM --platform=windows/amd64 a", "only Linux"),
    ] {
        let error = order(text, None).expect_err(text);
        assert_eq!(error.line(), Some(1), "{text}");
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}

#[test]
fn instructions_before_the_first_stage_are_refused() {
    let error = parse(b"ARG a\nRUN x\nFROM y").unwrap_err();
    assert!(
        matches!(error, DockerfileError::Syntax { line: 2, .. }),
        "{error}"
    );
}
