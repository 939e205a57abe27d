//! Rows of a comparison, for people and for programs.

use serde_json::{Value, json};

/// Ours beside one peer.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What was measured: `store/memory/put (cpu)`.
    pub name: String,
    /// Our median.
    pub ours: f64,
    /// The peer's median; not a number where there is no peer.
    pub peer: f64,
    /// Who the peer is, and in which mode.
    pub peer_name: String,
    /// The unit of both: `ns` for one operation, `bytes`, `allocations`, `x` (times as much), `syncs`,
    /// `commits/s`, `steps/s` or `commits/sync`. Less is better, but of what has a `/` in it.
    pub unit: &'static str,
    /// What must be reached, if this row is a promise.
    pub target: Option<Target>,
}

/// What a row must reach; all that is given.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Target {
    /// Times faster (or smaller) than the peer, at least.
    pub ratio_at_least: Option<f64>,
    /// Ours, at most, in the row's unit.
    pub ours_at_most: Option<f64>,
    /// Ours, at least, in the row's unit.
    pub ours_at_least: Option<f64>,
}

impl Target {
    /// So many times faster or smaller than the peer, at least.
    pub fn ratio(least: f64) -> Target {
        Target {
            ratio_at_least: Some(least),
            ..Target::default()
        }
    }

    /// So much in the row's unit, at most.
    pub fn ours(most: f64) -> Target {
        Target {
            ours_at_most: Some(most),
            ..Target::default()
        }
    }

    /// So much in the row's unit, at least.
    pub fn ours_at_least(least: f64) -> Target {
        Target {
            ours_at_least: Some(least),
            ..Target::default()
        }
    }

    /// Both must be reached; where both bound the same, the other's bound counts.
    #[must_use]
    pub fn and(self, other: Target) -> Target {
        Target {
            ratio_at_least: other.ratio_at_least.or(self.ratio_at_least),
            ours_at_most: other.ours_at_most.or(self.ours_at_most),
            ours_at_least: other.ours_at_least.or(self.ours_at_least),
        }
    }
}

impl Row {
    /// A row of times, in nanoseconds for one operation.
    pub fn time(
        name: impl Into<String>,
        ours: f64,
        peer: f64,
        peer_name: impl Into<String>,
    ) -> Row {
        Row {
            name: name.into(),
            ours,
            peer,
            peer_name: peer_name.into(),
            unit: "ns",
            target: None,
        }
    }

    /// A row of sizes in memory.
    pub fn bytes(
        name: impl Into<String>,
        ours: f64,
        peer: f64,
        peer_name: impl Into<String>,
    ) -> Row {
        Row {
            unit: "bytes",
            ..Row::time(name, ours, peer, peer_name)
        }
    }

    /// A row of how often memory was asked for.
    pub fn allocations(
        name: impl Into<String>,
        ours: f64,
        peer: f64,
        peer_name: impl Into<String>,
    ) -> Row {
        Row {
            unit: "allocations",
            ..Row::time(name, ours, peer, peer_name)
        }
    }

    /// A row that has no peer.
    pub fn alone(name: impl Into<String>, ours: f64, unit: &'static str) -> Row {
        Row::time(name, ours, f64::NAN, "").in_unit(unit)
    }

    /// This row in another unit.
    #[must_use]
    pub fn in_unit(self, unit: &'static str) -> Row {
        Row { unit, ..self }
    }

    /// This row as a promise.
    #[must_use]
    pub fn with_target(mut self, target: Option<Target>) -> Row {
        self.target = target;
        self
    }

    /// Whether the promise is kept; none when the row is no promise.
    pub fn met(&self) -> Option<bool> {
        self.target.map(|target| {
            target
                .ratio_at_least
                .is_none_or(|least| self.ratio() >= least)
                && target.ours_at_most.is_none_or(|most| self.ours <= most)
                && target.ours_at_least.is_none_or(|least| self.ours >= least)
        })
    }

    /// How many times faster or smaller we are: peer / ours, or ours / peer where more is better. Above 1 we are, below
    /// 1 the peer is. Infinite, which is null in JSON, where ours is 0 and the peer's is not; null without a peer.
    pub fn ratio(&self) -> f64 {
        if self.ours == self.peer {
            1.0
        } else if self.unit.contains('/') {
            self.ours / self.peer
        } else {
            self.peer / self.ours
        }
    }

    /// The row as one JSON object.
    pub fn json(&self) -> Value {
        let round =
            |value: f64, digits: i32| (value * 10f64.powi(digits)).round() / 10f64.powi(digits);
        let amount = |value: f64| round(value, if self.unit == "syncs" { 3 } else { 1 });
        let mut row = json!({
            "name": self.name, "ours": amount(self.ours), "peer": amount(self.peer), "peer_name": self.peer_name,
            "unit": self.unit, "ratio": round(self.ratio(), 3),
        });
        if let (Some(target), Some(row)) = (self.target, row.as_object_mut()) {
            let mut promise = serde_json::Map::new();
            let named = [
                ("ratio_at_least", target.ratio_at_least),
                ("ours_at_most", target.ours_at_most),
                ("ours_at_least", target.ours_at_least),
            ];
            for (name, number) in named {
                promise.extend(number.map(|number| (name.to_owned(), json!(round(number, 3)))));
            }
            row.insert("target".into(), promise.into());
            row.insert("met".into(), json!(self.met()));
        }
        row
    }

    /// The row as one line of a table; see [`heading`].
    pub fn line(&self) -> String {
        let show = |amount: f64| match self.unit {
            _ if amount.is_nan() => "-".to_owned(),
            "bytes" => human_bytes(amount),
            "allocations" | "commits/s" | "steps/s" => format!("{amount:.0}"),
            "syncs" => format!("{amount:.3}"),
            "commits/sync" => format!("{amount:.1}"),
            "x" => format!("{amount:.2}x"),
            _ => human(amount),
        };
        let target = self.target.map(|target| {
            let ratio = target
                .ratio_at_least
                .map(|least| format!("at least {least:.2}x"));
            let most = target
                .ours_at_most
                .map(|most| format!("at most {}", show(most)));
            let least = target
                .ours_at_least
                .map(|least| format!("at least {}", show(least)));
            let all = ratio.into_iter().chain(most).chain(least);
            all.collect::<Vec<_>>().join(", ")
        });
        let verdict = match (self.met(), target) {
            (Some(true), Some(target)) => format!("  [ok: {target}]"),
            (Some(false), Some(target)) => format!("  [MISSED: {target}]"),
            _ => String::new(),
        };
        let ratio = match self.ratio() {
            ratio if ratio.is_nan() => "-".to_owned(),
            ratio => format!("{ratio:.2}x"),
        };
        format!(
            "{:52} {:>10} {:>10} {ratio:>9}  {}{verdict}",
            self.name,
            show(self.ours),
            show(self.peer),
            self.peer_name
        )
    }
}

/// How many promises were kept, and which were not.
#[derive(Debug, Default)]
pub struct Summary {
    met: usize,
    missed: Vec<String>,
}

impl Summary {
    /// Takes one more row in.
    pub fn add(&mut self, row: &Row) {
        match row.met() {
            Some(true) => self.met += 1,
            Some(false) => self.missed.push(format!("{}: {}", row.name, row.peer_name)),
            None => {}
        }
    }

    /// As one JSON object, the last of a run.
    pub fn json(&self) -> Value {
        json!({"name": "summary", "met": self.met, "missed": self.missed.len(), "missed_rows": self.missed})
    }

    /// As the last line of a table; none when nothing was promised.
    pub fn line(&self) -> Option<String> {
        let all = self.met + self.missed.len();
        (all > 0).then(|| {
            let which = self.missed.iter().map(|row| format!("\n  missed {row}"));
            format!(
                "{} of {all} targets met{}",
                self.met,
                which.collect::<String>()
            )
        })
    }
}

/// The heading of the table.
pub fn heading() -> String {
    format!(
        "{:52} {:>10} {:>10} {:>9}  peer (above 1x we are faster)",
        "", "ours", "peer", "ratio"
    )
}

/// Nanoseconds as people read them.
fn human(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 100.0 => format!("{n:.1} ns"),
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.2} µs", n / 1e3),
        n if n < 1e9 => format!("{:.2} ms", n / 1e6),
        n => format!("{:.2} s", n / 1e9),
    }
}

fn human_bytes(bytes: f64) -> String {
    match bytes {
        b if b < 1e4 => format!("{b:.0} B"),
        b if b < 1e6 => format!("{:.1} kB", b / 1e3),
        b => format!("{:.2} MB", b / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_for_programs_and_for_people() {
        let row = Row::time("store/memory/put (cpu)", 400.0, 10_000.0, "SQLite");
        let text = r#"{"name":"store/memory/put (cpu)","ours":400.0,"peer":10000.0,"peer_name":"SQLite","unit":"ns","ratio":25.0}"#;
        assert_eq!(row.json().to_string(), text);
        assert!(
            row.line()
                .ends_with("    400 ns   10.00 µs    25.00x  SQLite"),
            "{}",
            row.line()
        );
        assert_eq!(Row::time("", 0.0, 0.0, "").ratio(), 1.0);
        assert_eq!(Row::time("", 0.0, 1.0, "").json()["ratio"], Value::Null);
    }

    #[test]
    fn a_promise_is_kept_or_not() {
        let parse = Row::time("value/parse/twitter", 200.0, 500.0, "serde_json");
        assert_eq!(parse.met(), None);
        let kept = parse.clone().with_target(Some(Target::ratio(2.5)));
        assert_eq!(kept.json()["target"], json!({"ratio_at_least": 2.5}));
        assert_eq!(kept.json()["met"], json!(true));
        assert!(kept.line().ends_with("serde_json  [ok: at least 2.50x]"));
        let missed = parse.with_target(Some(Target::ours(150.0)));
        assert_eq!(missed.json()["met"], json!(false));
        assert!(missed.line().ends_with("[MISSED: at most 150 ns]"));
        let mut summary = Summary::default();
        summary.add(&kept);
        summary.add(&missed);
        assert_eq!(summary.json()["met"], json!(1));
        assert_eq!(summary.json()["missed"], json!(1));
        let line = summary.line().unwrap();
        assert_eq!(
            line,
            "1 of 2 targets met\n  missed value/parse/twitter: serde_json"
        );
        assert_eq!(Summary::default().line(), None);
        let memory = Row::bytes("value/memory", 1e6, 2e6, "serde_json");
        assert!(memory.line().contains("1.00 MB"));
    }

    #[test]
    fn more_is_better_of_rates_and_a_row_may_have_no_peer() {
        let shared = Row::time("threads", 30.0, 10.0, "redb").in_unit("commits/sync");
        assert_eq!(shared.ratio(), 3.0);
        let both = Target::ours_at_least(20.0).and(Target::ratio(4.0));
        assert_eq!(shared.clone().with_target(Some(both)).met(), Some(false));
        let kept = shared.with_target(Some(Target::ours_at_least(20.0)));
        assert_eq!(kept.met(), Some(true));
        assert!(kept.line().ends_with("[ok: at least 20.0]"));
        let alone = Row::alone("recovery", 400_000.0, "commits/s");
        assert_eq!(alone.json()["peer"], Value::Null);
        assert_eq!(alone.json()["ratio"], Value::Null);
        assert!(alone.line().contains(" 400000          -         -"));
    }
}
