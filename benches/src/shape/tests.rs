use super::*;

#[test]
fn default_shapes_are_canonical_and_differ() {
    for shapes in [defaults(false), defaults(true), tiny()] {
        let mut texts: Vec<String> = shapes.iter().map(ToString::to_string).collect();
        for (shape, text) in shapes.iter().zip(&texts) {
            assert_eq!(&text.parse::<Shape>().unwrap(), shape);
        }
        texts.sort();
        let count = texts.len();
        texts.dedup();
        assert_eq!(texts.len(), count);
    }
    let tiny: Vec<&str> = tiny().iter().map(Shape::family).collect();
    assert!(FAMILIES.iter().all(|family| tiny.contains(&family.name)));
}

#[test]
fn shapes_that_fit_no_family_are_refused_with_what_was_expected() {
    for (text, expected) in [
        ("matmul:1x2x3", "families are linear"),
        ("linear:512x2048", "linear takes 3 sizes (rows, out, in)"),
        (
            "linear:0x1x1",
            "rows is \"0\", expected a whole number from 1",
        ),
        (
            "linear:1x1x99999999999999999999",
            "in is \"99999999999999999999\"",
        ),
        ("rope:1x2x3", "head_dim must be even"),
        ("rope:1x2x4,cap=3", "no option \"cap\""),
        ("attention:9x2x64", "multiple of kv_heads"),
        ("attention:9x3x64,lengths=4*", "lengths is \"4*\""),
        ("attention:9x3x64,lengths=99999999*1", "lengths is"),
        ("activation:1x2,kind=relu", "expected one of silu"),
        ("rms_norm:1x97,group=32", "multiple of group"),
        ("linear:1x3x2,gate=silu", "out must be even"),
        ("linear:1x2x3,gate=relu", "expected one of silu"),
        ("linear:1x2x3,gate", "expected one of silu"),
        ("kl:1x2x3,shared=2", "shared is there or not, found \"2\""),
        ("cross_entropy:1x2x3,shared", "it has cap"),
        ("kl:1x2x3,cap=0", "cap is \"0\""),
    ] {
        let error = text.parse::<Shape>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn an_option_without_a_value_is_written_without_one() {
    for text in ["kl:1x2x3,cap=30,shared", "kl:1x2x3, shared=true,cap=30"] {
        let shape: Shape = text.parse().unwrap();
        assert_eq!(shape.to_string(), "kl:1x2x3,cap=30,shared");
        assert!(shape.flag("shared") && shape.count("cap") == Some(30));
    }
    let shape: Shape = "kl:1x2x3,shared=false".parse().unwrap();
    assert!(!shape.flag("shared") && shape.to_string() == "kl:1x2x3");
}

#[test]
fn files_list_texts_and_tables_and_bad_ones_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        read_shapes(&path)
    };
    let toml =
        "shapes = [\"linear:1x2x3\", { family = \"rope\", rows = 5, heads = 3, head_dim = 64 }]";
    let texts = |shapes: Vec<Shape>| shapes.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        texts(write("a.toml", toml).unwrap()),
        ["linear:1x2x3", "rope:5x3x64"]
    );
    let json = "{\"shapes\": [{\"family\": \"attention\", \"heads\": 2, \"kv_heads\": 1, \"head_dim\": 64, \"lengths\": \"3*7\"}]}";
    assert_eq!(
        texts(write("a.json", json).unwrap()),
        ["attention:2x1x64,lengths=3*7"]
    );
    let json = "{\"shapes\": [{\"family\": \"kl\", \"rows\": 2, \"vocab\": 3, \"hidden\": 4, \"shared\": true}]}";
    assert_eq!(texts(write("s.json", json).unwrap()), ["kl:2x3x4,shared"]);
    assert!(matches!(
        write("b.json", "{\"shapes\": []}"),
        Err(ReadShapesError::Empty(_))
    ));
    assert!(matches!(
        write("c.json", "[1]"),
        Err(ReadShapesError::Form { .. })
    ));
    let wrong = write("d.json", "{\"shapes\": [\"linear:1x2x3\", \"nothing:1\"]}");
    assert!(matches!(
        wrong,
        Err(ReadShapesError::Shape { index: 2, .. })
    ));
    assert!(matches!(
        read_shapes(&directory.path().join("none")),
        Err(ReadShapesError::Read { .. })
    ));
}
