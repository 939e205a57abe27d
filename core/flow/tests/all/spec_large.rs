//! Large specs: nothing that is wrong is lost, and none takes long.

use std::time::Duration;

use statewright_flow::net::Net;
use statewright_log::Env;

#[test]
fn an_error_behind_a_thousand_warnings_is_an_error() {
    let names: Vec<String> = (0..1001).map(|n| format!("j{n}")).collect();
    let joins: String = names
        .iter()
        .map(|name| format!("      {name}: {{ join: and }}\n"))
        .collect();
    let names = names.join(", ");
    let source = format!(
        "name: main\ntasks:\n  x: {{ kind: flow, flow: many, next: nowhere }}\nflows:\n  many:\n    tasks:\n      \
         a: {{ split: xor, next: [{{ to: b, when: .x }}, c] }}\n      b: {{ split: and, next: [{names}] }}\n      \
         c: {{ split: and, next: [{names}] }}\n{joins}"
    );
    let found = Net::compile(&source, None).err().unwrap_or_default();
    assert!(found.iter().any(|p| p.code == "unknown-task"));
    assert!(found.len() > 1000);
}

#[test]
fn hostile_nets_are_refused_or_accepted_quickly() {
    let clock = Env::real().clock;
    let numbered =
        |count: usize, of: &dyn Fn(usize) -> String| -> String { (0..count).map(of).collect() };
    let edges = numbered(100_000, &|n| format!("n{n}, "));
    let chain = numbered(2000, &|n| format!("  t{n}: {{ next: t{} }}\n", n + 1));
    let sections = numbered(2000, &|n| {
        format!("  s{n}: {{ tasks: [t0, t1], mutex: m{n} }}\n")
    });
    let long_chain = numbered(3000, &|n| format!("  t{n}: {{ next: t{} }}\n", n + 1));
    let rivals = numbered(5_000, &|n| format!("  s{n}: {{ mutex: m }}\n"));
    let all = numbered(5_000, &|n| format!("s{n}, "));
    let expressions = numbered(50_000, &|n| format!(".a{n}: '(', "));
    for (what, rest) in [
        ("edges", format!("  t: {{ split: and, next: [{edges}] }}\n")),
        (
            "sections",
            format!("{chain}  t2000: {{}}\nsections:\n{sections}"),
        ),
        (
            "rivals",
            format!("  t: {{ split: and, next: [{all}] }}\n{rivals}"),
        ),
        (
            "local joins",
            format!(
                "  s: {{ split: and, next: [t0, e] }}\n{long_chain}  t3000: {{ next: e }}\n  e: {{ join: local }}\n"
            ),
        ),
        (
            "expressions",
            format!("  t: {{ kind: set, set: {{ {expressions} }} }}\n"),
        ),
    ] {
        let source = format!("name: x\ntasks:\n{rest}");
        let started = clock.monotonic();
        let result = Net::compile(&source, None);
        let took = clock.monotonic() - started;
        println!("{what}: {} bytes took {took:?}", source.len());
        let refused = ["edges", "expressions"].contains(&what);
        assert_eq!(result.is_err(), refused, "{what}");
        assert!(took < Duration::from_secs(20), "{what} took {took:?}");
    }
}
