//! Random nets with everything a net can say: whatever they do, they do it again after every crash, and no rule is
//! broken.

use std::collections::BTreeSet;
use std::fmt::Write;

use statewright_flow::net::Net;
use statewright_flow::{Status, WorkItem};
use statewright_value::Value;

use super::game::{Game, Mode};

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 8) as usize % sides
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

fn spec(dice: &mut Dice) -> String {
    let tasks = 3 + dice.roll(5);
    let places = dice.roll(3);
    let mut text = String::from("name: r\ntasks:\n");
    for t in 0..tasks {
        let kind = dice.one(&[
            "",
            "host",
            "host",
            "host",
            "set, set: { .n: '(.n // 0) + 1' }",
            "wait, for: 1s",
        ]);
        let mut fields = match kind {
            "" => "description: routes".to_owned(),
            kind => format!("kind: {kind}"),
        };
        let join = dice.one(&[
            "and",
            "xor",
            "xor",
            "or",
            "{ of: 1 }",
            "{ of: 1, reset: blocking }",
        ]);
        let _ = write!(fields, ", join: {join}");
        let mut next: BTreeSet<String> = BTreeSet::new();
        if t + 1 < tasks {
            next.insert(format!("t{}", t + 1));
        }
        for _ in 0..dice.roll(3) {
            let to = dice.roll(tasks + places);
            if to < tasks && to > 0 {
                next.insert(format!("t{to}"));
            } else if to >= tasks {
                next.insert(format!("p{}", to - tasks));
            }
        }
        let split = dice.one(&["and", "xor", "or"]);
        let last = next.len().saturating_sub(1);
        let edges: Vec<String> = next
            .iter()
            .enumerate()
            .map(|(i, to)| match split {
                "and" => format!("{{ to: {to}, tokens: {} }}", 1 + dice.roll(8) / 7),
                _ if i == last => to.clone(),
                _ => format!(
                    "{{ to: {to}, when: '(.pick // 0) % {} == 0' }}",
                    2 + dice.roll(2)
                ),
            })
            .collect();
        if !edges.is_empty() {
            let _ = write!(fields, ", split: {split}, next: [{}]", edges.join(", "));
        }
        if kind == "host" {
            fields.push_str(", topic: w, into: .pick");
            if dice.roll(5) == 0 {
                let rest = dice.one(&["cancel", "continue"]);
                let _ = write!(
                    fields,
                    ", many: {{ items: 3, threshold: {}, rest: {rest} }}",
                    1 + dice.roll(3)
                );
            }
        }
        if dice.roll(4) == 0 {
            let _ = write!(fields, ", cancels: [t{}]", dice.roll(tasks));
        }
        if dice.roll(4) == 0 {
            fields.push_str(", mutex: m");
        }
        if places > 0 && dice.roll(6) == 0 {
            let _ = write!(fields, ", tests: p{}", dice.roll(places));
        }
        if edges.is_empty() && dice.roll(3) == 0 {
            fields.push_str(", terminate: true");
        }
        let _ = writeln!(text, "  t{t}: {{ {fields} }}");
    }
    text.push_str("places:\n");
    for p in 0..places {
        let targets: BTreeSet<usize> = (0..dice.roll(3))
            .map(|_| 1 + dice.roll(tasks - 1))
            .collect();
        let targets: Vec<String> = targets.iter().map(|t| format!("t{t}")).collect();
        let _ = writeln!(
            text,
            "  p{p}: {{ tokens: {}, next: [{}] }}",
            dice.roll(2),
            targets.join(", ")
        );
    }
    if places == 0 {
        text.push_str("  unused: {}\n");
    }
    text
}

/// Plays some steps; gives what happened.
fn play(spec: &str, mode: Mode) -> Vec<String> {
    let mut game = Game::start(spec, Value::NULL, mode);
    let seen = std::cell::Cell::new(0_u64);
    let answer = |_: &WorkItem| {
        seen.set(seen.get() + 1);
        Value::from(seen.get() % 3)
    };
    for _ in 0..40 {
        rules(&game);
        // A net that multiplies its tokens says nothing new after that.
        if game.flows.case("case").unwrap().items.len() > 20 || game.end().events.len() > 200 {
            break;
        }
        if !game.step(&answer) && !game.wait() {
            break;
        }
    }
    rules(&game);
    let end = game.end();
    if end.status.is_final() {
        assert_eq!(end.items, 0);
        assert_eq!(game.flows.next_due().unwrap(), None);
    } else {
        game.flows.cancel("case", "enough").unwrap();
        assert_eq!(game.end().items, 0);
        assert_eq!(game.flows.next_due().unwrap(), None, "a timer is left");
        assert!(game.offered().is_empty());
    }
    game.trace()
}

/// What holds after every event.
fn rules(game: &Game) {
    let info = game.flows.case("case").unwrap();
    let told = game.flows.explain("case").unwrap();
    match info.status {
        Status::Running if info.items.is_empty() => {}
        Status::Running | Status::Deadlocked => assert!(!told.is_empty(), "{info:#?}"),
        _ => assert!(told.is_empty()),
    }
    let numbers: BTreeSet<u64> = info.items.iter().map(|i| i.item).collect();
    assert_eq!(numbers.len(), info.items.len());
}

#[test]
fn random_nets_do_the_same_again_after_every_crash() {
    let (mut played, mut dice) = (0, Dice(43));
    for seed in 1..=40 {
        let spec = spec(&mut dice);
        if Net::compile(&spec, None).is_err() {
            continue;
        }
        played += 1;
        let without = play(&spec, Mode::Random(seed));
        let with = play(&spec, Mode::RandomCrash(seed));
        assert_eq!(without, with, "{spec}");
    }
    assert!(played > 10, "only {played} were nets");
}
