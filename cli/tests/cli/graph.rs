//! `graph`: pictures of flows and cases.

use crate::program::Folder;

const HOSTILE: &str = r#"
name: hostile
tasks:
  begin:
    kind: set
    set: { .x: '"</svg><script>alert(1)</script>"' }
    split: xor
    next:
      - { to: left, when: '.x == "</text><script>&\u0000\u001b]]>" or .x > 1 and .x < 2' }
      - right
  left: { kind: process, run: ['<b>"&''\', "\t\u0001"], next: [end] }
  right: { kind: host, topic: work, next: [end] }
  end: { join: xor }
"#;

/// The clone's own files.
fn own(path: &str) -> String {
    format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))
}

/// What the documentation shows is what the program draws. To change the picture, write what it draws into the file.
#[test]
fn the_picture_in_the_documentation_is_what_is_drawn() {
    let f = Folder::new();
    let flow = own("examples/flows/order.yaml");
    let drawn = f.run(&["graph", &flow]).ok().stdout;
    assert_eq!(
        drawn,
        std::fs::read_to_string(own("docs/images/order.svg")).unwrap()
    );

    let case = ["--case-id", "order-17", "--timeout", "10ms"];
    f.run(&[&["run", &flow, "-q"][..], &case].concat()).ended(6);
    let item = f.run(&["work", "--json"]).ok().json()["item"].to_string();
    let token = f
        .run(&["work", "take", "order-17", &item, "--as", "ann"])
        .ok()
        .stdout;
    let lines = r#"[{"sku": "pen", "quantity": 3, "cents": 120}]"#;
    f.run(&["work", "complete", token.trim(), lines]).ok();
    let charge = f.run(&["work", "--task", "charge", "--json"]).ok().json()["item"].to_string();
    f.run(&["work", "take", "order-17", &charge, "--as", "bob"])
        .ok();
    f.run(&["graph", "--case", "order-17", "-o", "case.svg"])
        .ok();
    let drawn = std::fs::read_to_string(f.path("case.svg")).unwrap();
    assert_eq!(
        drawn,
        std::fs::read_to_string(own("docs/images/order-17.svg")).unwrap()
    );
    // The same by the spec, and as text.
    let by_spec = f.run(&["graph", &flow, "--case", "order-17"]).ok().stdout;
    assert_eq!(by_spec, drawn);
    let dot = f.run(&["graph", "--case", "order-17", "--dot"]).ok().stdout;
    assert!(
        dot.contains("[label=\"price\\nhost · pricing\\ndone\""),
        "{dot}"
    );
    assert!(
        dot.contains("label=\"charge\\nhost · payment\\nrunning\""),
        "{dot}"
    );
    let mermaid = f
        .run(&["graph", "--case", "order-17", "--mermaid"])
        .ok()
        .stdout;
    assert!(mermaid.contains("class n2 waiting"), "{mermaid}");
}

#[test]
fn every_pattern_and_example_is_drawn_as_xml_that_is_well_formed() {
    let f = Folder::new();
    let mut drawn = 0;
    for folder in ["examples/flows", "examples/patterns"] {
        for entry in std::fs::read_dir(own(folder)).unwrap() {
            let path = entry.unwrap().path();
            // One picture of ten is enough to see that whatever is in a net can be drawn.
            if path.extension().is_none_or(|e| e != "yaml")
                || drawn % 10 > 0 && folder != "examples/flows"
            {
                drawn += usize::from(folder != "examples/flows");
                continue;
            }
            let done = f.run(&["graph", path.to_str().unwrap()]).ok();
            well_formed(&done.stdout);
            drawn += 1;
        }
    }
    assert!(drawn > 10);
}

#[test]
fn hostile_text_stays_text() {
    let f = Folder::new();
    let spec = f.file("hostile.yaml", HOSTILE);
    let svg = f.run(&["graph", spec]).ok().stdout;
    well_formed(&svg);
    assert!(!svg.contains("<script") && !svg.contains("<b>"), "{svg}");
    assert!(svg.contains("&lt;/text&gt;&lt;script&gt;"), "{svg}");
    let dot = f.run(&["graph", spec, "--dot"]).ok().stdout;
    let quotes = dot
        .replace("\\\\", "")
        .replace("\\\"", "")
        .matches('"')
        .count();
    assert_eq!(quotes % 2, 0, "{dot}");
    let mermaid = f.run(&["graph", spec, "--mermaid"]).ok().stdout;
    assert!(
        !mermaid.contains('<') || mermaid.replace("<br/>", "").find('<').is_none(),
        "{mermaid}"
    );
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let f = Folder::new();
    let spec = f.file("flow.yaml", "name: x\ntasks:\n  a: { kind: nonsense }\n");
    f.run(&["graph", spec]).ended(3);
    f.run(&["graph"]).ended(2);
    f.run(&["graph", "nowhere.yaml"]).ended(2);
    f.run(&["graph", "--case", "nobody"]).ended(5);
    let order = own("examples/flows/order.yaml");
    f.run(&["graph", &order, "--flow", "inner"])
        .refused(7, 501, &["'inner'"]);
    f.run(&["graph", &order, "-o", "no/where.svg"]).ended(5);
    f.run(&["graph", &order, "--dot", "--mermaid"]).ended(2);
}

/// Tags are closed in order, attributes are quoted, and there are no characters or entities that XML does not have.
#[track_caller]
fn well_formed(svg: &str) {
    let mut open = Vec::new();
    let mut rest = svg;
    while let Some(at) = rest.find('<') {
        content(&rest[..at]);
        let end = rest[at..].find('>').map(|end| at + end).unwrap();
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{svg}");
            continue;
        }
        let (name, attributes) = tag
            .split_once(' ')
            .unwrap_or((tag.trim_end_matches('/'), ""));
        let mut parts = attributes.trim_end_matches('/').split('"');
        while let Some(key) = parts.next().filter(|key| !key.trim().is_empty()) {
            assert!(key.ends_with('='), "{tag}");
            content(parts.next().unwrap());
        }
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?}");
}

#[track_caller]
fn content(text: &str) {
    assert!(!text.contains(['<', '>']), "{text}");
    let bad =
        |c: char| c.is_control() && c != '\n' && c != '\t' || c == '\u{FFFE}' || c == '\u{FFFF}';
    assert!(!text.contains(bad), "{text:?}");
    for entity in text.split('&').skip(1) {
        let name = entity.split(';').next().unwrap();
        assert!(["amp", "lt", "gt", "quot", "#39"].contains(&name), "{text}");
    }
}
